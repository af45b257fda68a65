"""The tables of this gateway; all of them are the shared gateway's."""

from shared.gateway.work import SCHEMAS

__all__ = ["SCHEMAS"]
