"""What is predicted: discrete-time hazards for churn and upsell."""
