"""Keys, CMS and PDF signatures, time-stamps."""
