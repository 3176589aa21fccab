# The smallest guest, PV and PVH: it writes its command line to the console,
# waits until that was read, and powers off; or reboots when the command line
# has then=reboot. It boots in no time, where Linux takes seconds to download
# and to start in an emulated machine, and a minute as a PVH guest.
#
# Names and numbers are those of Xen's public headers: elfnote.h, xen.h,
# io/console.h, sched.h, event_channel.h; for PVH also arch-x86/cpuid.h,
# arch-x86/hvm/start_info.h, hvm/hvm_op.h and hvm/params.h.

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

	.set XEN_CPUID_LEAF_3, 0x40000002	# ebx is the MSR of the hypercall page
	.set HVM_START_CMDLINE, 24
	.set HVM_OP, 34
	.set HVMOP_GET_PARAM, 1
	.set HVM_PARAM_CONSOLE_PFN, 17
	.set HVM_PARAM_CONSOLE_EVTCHN, 18

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
	note 18, .long start_pvh

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

# The same for PVH, which begins with 32 bits, without pages, and with
# hvm_start_info in ebx.
	.code32
start_pvh:
	mov $stack, %esp
	mov HVM_START_CMDLINE(%ebx), %ebp
	mov $XEN_CPUID_LEAF_3, %eax
	cpuid
	mov %ebx, %ecx
	mov $hypercalls, %eax
	xor %edx, %edx
	wrmsr
	mov $HVM_PARAM_CONSOLE_EVTCHN, %eax
	call parameter
	mov %eax, argument
	mov $HVM_PARAM_CONSOLE_PFN, %eax
	call parameter
	shl $12, %eax
	mov %eax, ring

	lea RING_OUT(%eax), %edi
	mov $greeting, %esi
	call copy_pvh
	mov %ebp, %esi
	call copy_pvh
	mov $newline, %esi
	call copy_pvh
	mov ring, %eax
	sub %eax, %edi
	sub $RING_OUT, %edi
	mov %edi, RING_OUT_PROD(%eax)
	mov $EVTCHNOP_SEND, %ebx
	mov $argument, %ecx
	hypercall EVENT_CHANNEL_OP

unread_pvh:
	mov ring, %edx
	mov RING_OUT_CONS(%edx), %eax
	cmp RING_OUT_PROD(%edx), %eax
	je read_pvh
	mov $SCHEDOP_POLL, %ebx
	mov $poll_pvh, %ecx
	hypercall SCHED_OP
	jmp unread_pvh

read_pvh:
	movl $0, argument
search_pvh:
	cmpb $0, (%ebp)
	je shutdown_pvh
	mov (%ebp), %eax
	mov 4(%ebp), %edx
	inc %ebp
	cmp then, %eax
	jne search_pvh
	cmp then + 4, %edx
	jne search_pvh
	movl $1, argument
shutdown_pvh:
	mov $SCHEDOP_SHUTDOWN, %ebx
	mov $argument, %ecx
	hypercall SCHED_OP

# the value of the parameter eax of this domain
parameter:
	mov %eax, hvm_parameter + 4
	mov $HVMOP_GET_PARAM, %ebx
	mov $hvm_parameter, %ecx
	hypercall HVM_OP
	mov hvm_parameter + 8, %eax
	ret

copy_pvh:
	lodsb
	test %al, %al
	jz copied_pvh
	stosb
	jmp copy_pvh
copied_pvh:
	ret

greeting:
	.asciz "GUEST-UP "
newline:
	.asciz "\r\n"
then:	.ascii "then=reb"
	.balign 8
argument:
	.quad 0
poll:	.quad argument, 1, 0		# the port, how many, no timeout
poll_pvh:
	.long argument, 1, 0, 0
hvm_parameter:
	.long 0x7ff0, 0, 0, 0		# DOMID_SELF, which, its value
ring:	.long 0

	.balign 4096
hypercalls:
	.skip 4096			# filled by Xen
	.skip 4096
stack:
