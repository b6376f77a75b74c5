"""ELMo in a Lambda layer of Keras, trained with the model."""

import argparse
import json
import os

import numpy as np
import tensorflow as tf
import tensorflow_hub as hub
from tensorflow.keras import backend as K
from tensorflow.keras.layers import Dense, Input, Lambda
from tensorflow.keras.models import Model

parser = argparse.ArgumentParser()
parser.add_argument("--modules")
parser.add_argument("--data")
parser.add_argument("--out")
args = parser.parse_args()

sess = tf.Session()
K.set_session(sess)

elmo_model = hub.Module(os.path.join(args.modules, "elmo", "module"), trainable=True)


def ElmoEmbedding(x):
    return elmo_model(tf.squeeze(tf.cast(x, tf.string), axis=1), signature="default", as_dict=True)[
        "default"
    ]


input_text = Input(shape=(1,), dtype="string")
embedding = Lambda(ElmoEmbedding, output_shape=(12,))(input_text)
weights = np.random.RandomState(6).normal(scale=0.3, size=[12, 4])
dense = Dense(
    4,
    activation="relu",
    kernel_initializer=tf.keras.initializers.Constant(weights),
    kernel_regularizer=tf.keras.regularizers.l2(0.001),
)(embedding)
pred = Dense(1, activation="sigmoid", kernel_initializer="ones")(dense)
model = Model(inputs=[input_text], outputs=pred)
model.compile(
    loss="binary_crossentropy", optimizer=tf.keras.optimizers.Adam(lr=0.01), metrics=["accuracy"]
)

texts = np.array(
    ["the cat sat", "a dog", "the the cat", "dog sat a", "sat", "a cat"], dtype=object
)[:, np.newaxis]
labels = np.array([1, 0, 1, 0, 1, 0])


class Losses(tf.keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        self.losses = []

    def on_batch_end(self, batch, logs=None):
        self.losses.append(float(logs["loss"]))


with sess.as_default():
    sess.run(tf.global_variables_initializer())
    sess.run(tf.tables_initializer())
    losses = Losses()
    history = model.fit(
        texts, labels, epochs=2, batch_size=3, shuffle=False, verbose=0, callbacks=[losses]
    )
    model.save_weights(os.path.join(args.out, "model.h5"))
    predictions = model.predict(texts)
    aggregation = [v for v in tf.trainable_variables() if "aggregation" in v.name]
    record = {
        "losses": losses.losses,
        "epochs": [float(x) for x in history.history["loss"]],
        "predictions": predictions.tolist(),
        "aggregation": [np.array(x).tolist() for x in sess.run(aggregation)],
    }
with open(os.path.join(args.out, "record.json"), "w") as f:
    json.dump(record, f, indent=1, sort_keys=True)
