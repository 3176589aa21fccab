# The smallest PV guest: it writes its command line to the console, waits until
# that was read, and powers off, or reboots when the command line has
# then=reboot. It boots in no time, where Linux takes seconds to download and to
# start in an emulated machine.
#
# Names and numbers are those of Xen's public headers: elfnote.h, xen.h,
# io/console.h, sched.h, event_channel.h.

	.set START_INFO_CONSOLE_PORT, 80
	.set START_INFO_CMD_LINE, 128
	.set CONSOLE_RING, 0x2000	# after start_info and the xenstore page
	.set RING_OUT, 1024
	.set RING_OUT_CONS, 3080
	.set RING_OUT_PROD, 3084

	.set SCHED_OP, 29
	.set SCHEDOP_SHUTDOWN, 2
	.set SCHEDOP_POLL, 3
	.set EVENT_CHANNEL_OP, 32
	.set EVTCHNOP_SEND, 4

	.macro note type, value:vararg
	.long 4, 2f - 1f, \type
	.asciz "Xen"
1:	\value
2:	.balign 4
	.endm

	.section .note.Xen, "a", @note
	note 1, .quad start
	note 2, .quad hypercalls
	note 3, .quad 0			# XEN_ELFNOTE_VIRT_BASE
	note 4, .quad 0			# XEN_ELFNOTE_PADDR_OFFSET
	note 5, .asciz "xen-3.0"
	note 6, .asciz "stub"
	note 8, .asciz "generic"

	.macro hypercall number
	call hypercalls + 32 * \number
	.endm

	.text
	.globl start
start:	mov %rsi, %rbx			# start_info
	lea stack(%rip), %rsp
	lea CONSOLE_RING(%rbx), %rbp

	lea RING_OUT(%rbp), %rdi
	lea greeting(%rip), %rsi
	call copy
	lea START_INFO_CMD_LINE(%rbx), %rsi
	call copy
	lea newline(%rip), %rsi
	call copy
	sub %rbp, %rdi
	sub $RING_OUT, %edi
	mov %edi, RING_OUT_PROD(%rbp)
	mov START_INFO_CONSOLE_PORT(%rbx), %eax
	mov %eax, argument(%rip)
	mov $EVTCHNOP_SEND, %edi
	lea argument(%rip), %rsi
	hypercall EVENT_CHANNEL_OP

unread:	mov RING_OUT_CONS(%rbp), %eax
	cmp RING_OUT_PROD(%rbp), %eax
	je read
	mov $SCHEDOP_POLL, %edi		# the reader tells when it has read; to
	lea poll(%rip), %rsi		# spin would keep it from reading
	hypercall SCHED_OP
	jmp unread

read:	movl $0, argument(%rip)		# SHUTDOWN_poweroff
	lea START_INFO_CMD_LINE(%rbx), %rsi
	mov then(%rip), %rax
	mov $1024 - 8, %ecx
search:	cmp %rax, (%rsi)
	je reboot
	inc %rsi
	loop search
	jmp shutdown
reboot:	movl $1, argument(%rip)		# SHUTDOWN_reboot
shutdown:
	mov $SCHEDOP_SHUTDOWN, %edi
	lea argument(%rip), %rsi
	hypercall SCHED_OP

# copy the text at rsi to rdi, without its end
copy:	lodsb
	test %al, %al
	jz copied
	stosb
	jmp copy
copied:	ret

greeting:
	.asciz "GUEST-UP "
newline:
	.asciz "\r\n"
then:	.ascii "then=reb"
	.balign 8
argument:
	.quad 0
poll:	.quad argument, 1, 0		# the port, how many, no timeout

	.balign 4096
hypercalls:
	.skip 4096			# filled by Xen
	.skip 4096
stack:
