# A guest without a disk of its own, with what the package has: the program by
# its bare name, which libxl looks for in PATH, and the empty disk.
cfg 'bootloader = "gopxeboot"' 'disk = ["/usr/share/gopxeboot/empty.img,raw,xvdz,r"]'
create
started_with "$booted then=poweroff"
