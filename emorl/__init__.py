"""emorl: emotion rewards, simulated users and reliability for RL of assistants."""

__version__ = "0.1.0"
