"""What a promotion is judged by: gates on test rows, and gates on bundles side by side."""
