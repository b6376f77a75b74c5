"""What a program that uses tensorflow_hub has to change."""
