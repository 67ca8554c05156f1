"""Django's own commands, such as `python -m tweet_profiles.api.manage check --deploy`.

What belongs here: the entry point. What does not: commands of the project (`tweet_profiles.commands.main`).
"""

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tweet_profiles.api.conf")
    execute_from_command_line(sys.argv)
