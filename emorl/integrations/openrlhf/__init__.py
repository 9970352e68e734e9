"""OpenRLHF: the reward file for `--reward.remote_url`."""
