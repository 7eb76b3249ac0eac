"""How databases of earlier versions become today's: Alembic's scripts, run by ``bot.store.database``."""
