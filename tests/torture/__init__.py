"""What a study must survive: kills, full disks, bad files, chance. `make torture` runs it all."""
