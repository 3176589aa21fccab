#!/bin/sh
# XenServer and XCP-ng: gopxeboot in eliloader's place, for the VM with this uuid.
#
#   sh xapi.sh UUID
set -eu
# The line of xenopsd.conf that says where eliloader is; there may be one already.
sed -i '/^ *eliloader *=/d' /etc/xenopsd.conf
echo 'eliloader=/usr/bin/gopxeboot' >>/etc/xenopsd.conf
systemctl restart xenopsd-xc
xe vm-param-set uuid="$1" PV-bootloader=eliloader
