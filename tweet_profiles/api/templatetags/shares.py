"""How numbers are written on the page.

What belongs here: filters from a number to text. What is not known is written as a dash in tables, never as 0.
"""

from django import template

register = template.Library()

NOT_KNOWN = "–"  # noqa: RUF001 - a dash


@register.filter
def percent(share: float | None) -> str:
    """A share as whole per cent."""
    return NOT_KNOWN if share is None else f"{share:.0%}"


@register.filter
def count(number: float | None) -> str:
    """A count with commas."""
    return NOT_KNOWN if number is None else f"{number:,.0f}"


@register.filter
def decimals(number: float | None) -> str:
    """A number with two decimals."""
    return NOT_KNOWN if number is None else f"{number:.2f}"


@register.filter
def deviations(number: float | None) -> str:
    """Standard deviations from the average, with a sign."""
    return "not known" if number is None else f"{number:+.1f}"
