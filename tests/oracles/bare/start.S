# Start in M-mode, go down to U- or S-mode for one access, come back by its trap.

        .section .boot, "ax"
        .global boot
boot:
        la      t0, start
        jr      t0

        .text
start:
        la      sp, stack_top
        la      t0, trapped
        csrw    mtvec, t0
        li      t0, -1                  # the lower modes may use all of physical memory
        csrw    pmpaddr0, t0
        li      t0, 0x1f                # NAPOT, X, W, R
        csrw    pmpcfg0, t0
        call    main
        li      t0, 0x100000            # the board's switch
        li      t1, 0x5555
        sw      t1, 0(t0)
1:      j       1b

# u64 descend(u64 pc, u64 value, u64 address): runs at pc, in the mode that mstatus.MPP names, with
# value in a0 and address in a1, until it traps; returns a0 as it was then.
        .global descend
descend:
        addi    sp, sp, -128
        sd      ra, 0(sp)
        sd      gp, 8(sp)
        sd      tp, 16(sp)
        sd      s0, 24(sp)
        sd      s1, 32(sp)
        sd      s2, 40(sp)
        sd      s3, 48(sp)
        sd      s4, 56(sp)
        sd      s5, 64(sp)
        sd      s6, 72(sp)
        sd      s7, 80(sp)
        sd      s8, 88(sp)
        sd      s9, 96(sp)
        sd      s10, 104(sp)
        sd      s11, 112(sp)
        csrw    mscratch, sp
        csrw    mepc, a0
        mv      a0, a1
        mv      a1, a2
        sfence.vma
        fence.i
        mret

        .balign 4
trapped:
        csrr    sp, mscratch
        ld      ra, 0(sp)
        ld      gp, 8(sp)
        ld      tp, 16(sp)
        ld      s0, 24(sp)
        ld      s1, 32(sp)
        ld      s2, 40(sp)
        ld      s3, 48(sp)
        ld      s4, 56(sp)
        ld      s5, 64(sp)
        ld      s6, 72(sp)
        ld      s7, 80(sp)
        ld      s8, 88(sp)
        ld      s9, 96(sp)
        ld      s10, 104(sp)
        ld      s11, 112(sp)
        addi    sp, sp, 128
        ret

# One access each, in the order of KINDS in cases.py; 8 bytes each. An ecall says that it succeeded.
        .section .stub, "ax"
        .option norvc
        .macro access instruction:vararg
        \instruction
        ecall
        .endm
        access  lb a0, (a1)
        access  lh a0, (a1)
        access  lw a0, (a1)
        access  ld a0, (a1)
        access  sb a0, (a1)
        access  sh a0, (a1)
        access  sw a0, (a1)
        access  sd a0, (a1)
        access  amoswap.w a0, a0, (a1)
        access  amoswap.d a0, a0, (a1)
        access  lr.w a0, (a1)
        access  lr.d a0, (a1)
