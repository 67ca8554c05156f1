"""What removes: forgetting, retention, key rotation."""
