"""HubSpot's webhooks as a call to look sooner. The poll stays the only source of what is stored.

An event carries no value into the store: it only brings the next poll of its object forward. So
nothing rests on events being true, complete, in order or there at all.
"""
