"""Networks, one a file, without training code: batch -> outputs."""
