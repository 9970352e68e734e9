"""Adapters to trainers. Nothing outside this package imports TRL, OpenRLHF or deepspeed."""
