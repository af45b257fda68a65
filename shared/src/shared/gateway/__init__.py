"""What every payment gateway is made of; a provider's own words stay in its adapter."""
