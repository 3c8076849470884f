"""The receipt of a clinic: what was wrong with its deliveries, with file, line, rule and what to do.

``findings`` gathers it, ``scorecard`` judges each table, ``writing`` makes the page and the list that the clinic's own
staff get. Nothing of it ever holds a delivered value, and of a row nothing but its file and line.
"""

from clinic_outcomes.receipt.findings import receipt
from clinic_outcomes.receipt.scorecard import Score, scorecard
from clinic_outcomes.receipt.writing import receipt_folder, write_receipt

__all__ = ["Score", "receipt", "receipt_folder", "scorecard", "write_receipt"]
