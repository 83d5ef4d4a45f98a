"""Numbers with limits, for settings: plain floats in Python, checked where they are read from a configuration."""

from typing import Annotated, Any

from pydantic import AfterValidator, ConfigDict, Field

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)  # an unknown key is an error, and so is NaN


def unread_at_zero(**unread: tuple[str, ...]) -> AfterValidator:
    """For a section whose chances, where they are zero, leave other settings unread: what is set there is refused."""

    def check(section: Any) -> Any:
        for chance, names in unread.items():
            changed = [name for name in names if getattr(section, name) != getattr(type(section), name)]
            if changed and not getattr(section, chance):
                raise ValueError(f"{changed[0]} does nothing with {chance}=0; leave it out")
        return section

    return AfterValidator(check)
