"""What is measured: each file has ways to do one thing, which are run beside each other."""
