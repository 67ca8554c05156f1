"""The `tweet-profiles` command: arguments, what is printed, exit codes."""
