"""SMS.ru's HTTP API: `/sms/send`, `/sms/status`, and the reports it posts."""
