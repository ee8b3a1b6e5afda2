"""Write-once object stores and the log kept in them."""
