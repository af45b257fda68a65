"""Takes payments through SBP, Russia's system of fast payments, by any acquiring bank."""
