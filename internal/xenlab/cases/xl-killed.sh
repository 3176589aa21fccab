# When xl itself is killed libxl leaves the domain and its files, but the
# bootloader ends: its terminal is closed.
initrd 100M
creating
within 60 downloading
kill -TERM "$(pidof xl)"
within 10 no_process
xl destroy "$name"
rm -r $(libxl_files)
