"""What a person asks about a checkpoint or a frozen graph before it is loaded."""
