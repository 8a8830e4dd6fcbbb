"""An invented third CRM: the least that a source is made of."""
