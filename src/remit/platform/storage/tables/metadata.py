"""The one collection of tables, which the migrations must reproduce."""

from typing import Final

from sqlalchemy import MetaData

metadata: Final = MetaData()
