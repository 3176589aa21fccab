# A file that PXELINUX can start in two ways, and that tells the debug console
# (port 0xe9) how it was started:
#
#   as a boot sector or network boot program: 'B', then its own name, a length
#   byte and the bytes at offset 0x80, which the server fills in
#
#   as a Linux kernel (bzImage, boot protocol 2.06), in real mode or at the
#   32-bit entry: 'L', the command line, the
#   size of the ramdisk, and the head of the ramdisk
#
# Sizes are 32 bits, little-endian; a command line or a head is its size and
# then its bytes. It leaves QEMU through isa-debug-exit (port 0xf4).

	.set	HEAD, 0x10000		# bytes of a ramdisk that are reported

	.code16
	.globl	_start
_start:
	jmp	sector
	.org	0x3e			# PXELINUX writes a BPB into *.bss up to here
sector:	cli
	cld
	call	1f
1:	popw	%si
	pushw	%cs
	popw	%ds
	addw	$(name - 1b), %si
	movw	$0xe9, %dx
	movb	$'B', %al
	outb	%al, %dx
	xorw	%cx, %cx
	movb	(%si), %cl
	incw	%cx			# the length byte goes first
	rep outsb
	movw	$0xf4, %dx
	outb	%al, %dx
2:	hlt
	jmp	2b
	.org	0x80
name:	.byte	0

	.org	0x1f1
	.byte	4			# setup_sects
	.word	0			# root_flags
	.long	0x20			# syssize, in paragraphs
	.word	0			# ram_size
	.word	0xffff			# vid_mode
	.word	0			# root_dev
	.word	0xaa55			# boot_flag, and the boot sector's mark
	jmp	setup			# 0x200
	.org	0x202
	.ascii	"HdrS"
	.word	0x0206			# version
	.long	0			# realmode_swtch
	.word	0			# start_sys
	.word	0			# kernel_version
	.byte	0			# type_of_loader
	.byte	1			# loadflags: LOADED_HIGH
	.word	0			# setup_move_size
	.long	0x100000		# code32_start
image:	.long	0			# ramdisk_image
size:	.long	0			# ramdisk_size
	.long	0			# bootsect_kludge
	.word	0			# heap_end_ptr
	.word	0
cmdline:.long	0			# cmd_line_ptr
	.long	0x7fffffff		# initrd_addr_max
	.long	0x1000			# kernel_alignment
	.long	0			# relocatable_kernel
	.long	4095			# cmdline_size

	# The loader entered at CS = our segment + 0x20. The ramdisk lies above
	# the first megabyte, so go to protected mode to read it; EBX is our own
	# linear address, and every address here is relative to that.
setup:	cli
	cld
	xorl	%ebx, %ebx
	movw	%cs, %bx
	subw	$0x20, %bx
	movw	%bx, %ds
	shll	$4, %ebx
	addl	%ebx, gdt_at
	addl	%ebx, flat_at
	lgdt	gdt_limit
	movl	%cr0, %eax
	orb	$1, %al
	movl	%eax, %cr0
	ljmpl	*flat_at

	.code32
flat:	movw	$0x10, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	leal	stack(%ebx), %esp
	movw	$0xe9, %dx
	movb	$'L', %al
	outb	%al, %dx

	movl	cmdline(%ebx), %esi
	xorl	%ecx, %ecx
1:	cmpb	$0, (%esi,%ecx)
	je	2f
	incl	%ecx
	jmp	1b
2:	call	report

	movl	size(%ebx), %eax
	call	number
	movl	size(%ebx), %ecx
	cmpl	$HEAD, %ecx
	jbe	3f
	movl	$HEAD, %ecx
3:	movl	image(%ebx), %esi
	call	report

	movw	$0xf4, %dx
	outb	%al, %dx
4:	hlt
	jmp	4b

report:	movl	%ecx, %eax
	call	number
	rep outsb
	ret
number:	movl	$4, %edi
5:	outb	%al, %dx
	shrl	$8, %eax
	decl	%edi
	jnz	5b
	ret

	.balign	8
gdt:	.quad	0
	.quad	0x00cf9b000000ffff	# 0x08: code, 4 GiB
	.quad	0x00cf93000000ffff	# 0x10: data, 4 GiB
gdt_limit:
	.word	. - gdt - 1
gdt_at:	.long	gdt
flat_at:.long	flat
	.word	0x08

	.org	5*512 - 4
stack:	.org	5*512

	# What would be the kernel proper: GRUB's linux enters here (the 32-bit
	# boot protocol), with ESI at the boot parameters, which are laid out
	# as the header above, and no stack.
	.macro	number32
	movl	$4, %edi
1:	outb	%al, %dx
	shrl	$8, %eax
	decl	%edi
	jnz	1b
	.endm
	cli
	cld
	movl	%esi, %ebx
	movw	$0xe9, %dx
	movb	$'L', %al
	outb	%al, %dx
	movl	cmdline(%ebx), %esi
	xorl	%ecx, %ecx
2:	cmpb	$0, (%esi,%ecx)
	je	3f
	incl	%ecx
	jmp	2b
3:	movl	%ecx, %eax
	number32
	rep outsb
	movl	size(%ebx), %eax
	number32
	movl	size(%ebx), %ecx
	cmpl	$HEAD, %ecx
	jbe	4f
	movl	$HEAD, %ecx
4:	movl	image(%ebx), %esi
	movl	%ecx, %eax
	number32
	rep outsb
	movw	$0xf4, %dx
	outb	%al, %dx
5:	hlt
	jmp	5b
	.org	6*512
