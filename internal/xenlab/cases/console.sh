# Linux PXE boots as a PV guest, with its initrd. xl create -c shows what the
# bootloader says, and then the guest's console.
linux
timeout 280 script -qec "xl create -c $config" "$output" >/dev/null || fail "xl create -c: exit status $?"
started_with "$booted then=poweroff"
has "$output" "gopxeboot: kernel: "
has "$output" "GUEST-UP $booted then=poweroff"
first=$(grep -aoE 'gopxeboot: |GUEST-UP' "$output" | head -n 1)
is "the first on the console" "$first" "gopxeboot: "
