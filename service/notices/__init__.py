"""Messages to people and programs about cases that wait: webhooks and e-mail, through the outbox of results.

They hold a case's number and the address of its page, and nothing of a patient.
"""
