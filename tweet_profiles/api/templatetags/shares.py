"""How numbers are written on the page.

What belongs here: filters from a number to text.
"""

from django import template

register = template.Library()


@register.filter
def percent(share: float) -> str:
    """A share as whole per cent."""
    return f"{share:.0%}"


@register.filter
def count(number: float) -> str:
    """A count with commas."""
    return f"{number:,.0f}"
