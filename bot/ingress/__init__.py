"""The bot's HTTP port: events from elsewhere come in, and whoever runs the bot can see how it is."""
