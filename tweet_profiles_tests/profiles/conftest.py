from tweet_profiles_tests.servers import database, mongodb_server

__all__ = ["database", "mongodb_server"]
