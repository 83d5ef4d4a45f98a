"""Numbers with limits, for settings: plain floats in Python, checked where they are read from a configuration."""

from typing import Annotated

from pydantic import ConfigDict, Field

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)  # an unknown key is an error, and so is NaN
