"""The official SDKs, each behind the same few words, so that one test can ask all of them."""
