# A Multiboot kernel for mboot.c32 that tells the debug console (port 0xe9)
# 'M', its command line, the number of modules, and for each module its command
# line, its size and the head of its contents. Sizes are 32 bits,
# little-endian; a command line or a head is its size and then its bytes.
# It leaves QEMU through isa-debug-exit (port 0xf4).

	.set	HEAD, 0x10000

	.code32
	.globl	_start
_start:
header:	.long	0x1badb002
	.long	0x00010000		# the addresses below are valid
	.long	-(0x1badb002 + 0x00010000)
	.long	header			# header_addr
	.long	_start			# load_addr
	.long	end			# load_end_addr
	.long	bss_end			# bss_end_addr
	.long	entry			# entry_addr

entry:	cld
	movl	$bss_end, %esp
	movw	$0xe9, %dx
	movb	$'M', %al
	outb	%al, %dx
	movl	16(%ebx), %esi		# cmdline
	call	string
	movl	20(%ebx), %eax		# mods_count
	movl	%eax, %ebp
	call	number
	movl	24(%ebx), %ebx		# mods_addr
1:	testl	%ebp, %ebp
	jz	3f
	movl	8(%ebx), %esi
	call	string
	movl	4(%ebx), %eax		# mod_end
	subl	(%ebx), %eax		# mod_start
	movl	%eax, %ecx
	call	number
	cmpl	$HEAD, %ecx
	jbe	2f
	movl	$HEAD, %ecx
2:	movl	(%ebx), %esi
	call	report
	addl	$16, %ebx
	decl	%ebp
	jmp	1b
3:	movw	$0xf4, %dx
	outb	%al, %dx
4:	hlt
	jmp	4b

string:	xorl	%ecx, %ecx
1:	cmpb	$0, (%esi,%ecx)
	je	report
	incl	%ecx
	jmp	1b
report:	movl	%ecx, %eax
	call	number
	rep outsb
	ret
number:	movl	$4, %edi
1:	outb	%al, %dx
	shrl	$8, %eax
	decl	%edi
	jnz	1b
	ret
	.balign	4
end:
	.set	bss_end, end + 4096
