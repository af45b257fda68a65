"""An operator's access controller that is told who is blocked, by Standard Webhooks 1.0.0."""
