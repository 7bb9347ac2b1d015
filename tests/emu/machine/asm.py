"""A tiny RISC-V assembler: one function per instruction, returning its encoding as bytes.

Only what the tests of the machine run. Registers are numbers; the names below are the ABI's.
"""

from __future__ import annotations

ZERO, RA, SP, GP, TP, T0, T1, T2, S0, S1 = range(10)
A0, A1, A2, A3, A4, A5, A6, A7 = range(10, 18)
T3, T4, T5, T6 = range(28, 32)


def word(value: int) -> bytes:
    return (value & 0xFFFF_FFFF).to_bytes(4, "little")


def half(value: int) -> bytes:
    return (value & 0xFFFF).to_bytes(2, "little")


def bits(value: int, high: int, low: int) -> int:
    """Bits ``high`` to ``low`` of ``value``."""
    return value >> low & (1 << high - low + 1) - 1


# The six 32-bit formats.


def r_type(opcode: int, rd: int, funct3: int, rs1: int, rs2: int, funct7: int) -> bytes:
    return word(funct7 << 25 | rs2 << 20 | rs1 << 15 | funct3 << 12 | rd << 7 | opcode)


def i_type(opcode: int, rd: int, funct3: int, rs1: int, imm: int) -> bytes:
    assert -2048 <= imm < 2048
    return word((imm & 0xFFF) << 20 | rs1 << 15 | funct3 << 12 | rd << 7 | opcode)


def s_type(opcode: int, funct3: int, rs1: int, rs2: int, imm: int) -> bytes:
    assert -2048 <= imm < 2048
    top, low = bits(imm, 11, 5), bits(imm, 4, 0)
    return word(top << 25 | rs2 << 20 | rs1 << 15 | funct3 << 12 | low << 7 | opcode)


def branch(funct3: int, rs1: int, rs2: int, to: int) -> bytes:
    top = bits(to, 12, 12) << 31 | bits(to, 10, 5) << 25
    low = bits(to, 4, 1) << 8 | bits(to, 11, 11) << 7
    return word(top | rs2 << 20 | rs1 << 15 | funct3 << 12 | low | 0x63)


# Arithmetic and jumps. A jump's or branch's ``to`` is relative to itself.


def addi(rd: int, rs1: int, imm: int) -> bytes:
    return i_type(0x13, rd, 0, rs1, imm)


def add(rd: int, rs1: int, rs2: int) -> bytes:
    return r_type(0x33, rd, 0, rs1, rs2, 0)


def lui(rd: int, upper: int) -> bytes:
    return word(upper << 12 | rd << 7 | 0x37)


def li(rd: int, value: int) -> bytes:
    return addi(rd, ZERO, value)


def beq(rs1: int, rs2: int, to: int) -> bytes:
    return branch(0, rs1, rs2, to)


def bne(rs1: int, rs2: int, to: int) -> bytes:
    return branch(1, rs1, rs2, to)


def jal(rd: int, to: int) -> bytes:
    top = bits(to, 20, 20) << 31 | bits(to, 10, 1) << 21
    low = bits(to, 11, 11) << 20 | bits(to, 19, 12) << 12
    return word(top | low | rd << 7 | 0x6F)


def j(to: int) -> bytes:
    return jal(ZERO, to)


def jalr(rd: int, rs1: int, imm: int = 0) -> bytes:
    return i_type(0x67, rd, 0, rs1, imm)


def jr(rs1: int) -> bytes:
    return jalr(ZERO, rs1)


NOP = addi(ZERO, ZERO, 0)
ECALL = word(0x0000_0073)
EBREAK = word(0x0010_0073)
FENCE_I = word(0x0000_100F)
ILLEGAL = word(0xFFFF_FFFF)

# Loads and stores, by name.

LOADS = {"lb": 0, "lh": 1, "lw": 2, "ld": 3, "lbu": 4, "lhu": 5, "lwu": 6}
STORES = {"sb": 0, "sh": 1, "sw": 2, "sd": 3}
FP_LOADS = {"flw": 2, "fld": 3}
FP_STORES = {"fsw": 2, "fsd": 3}
SIZE = {name: 1 << (width & 3) for table in (LOADS, STORES) for name, width in table.items()}
SIZE |= {name: 1 << width for table in (FP_LOADS, FP_STORES) for name, width in table.items()}


def load(name: str, rd: int, rs1: int, imm: int = 0) -> bytes:
    if name in FP_LOADS:
        return i_type(0x07, rd, FP_LOADS[name], rs1, imm)
    return i_type(0x03, rd, LOADS[name], rs1, imm)


def store(name: str, rs2: int, rs1: int, imm: int = 0) -> bytes:
    if name in FP_STORES:
        return s_type(0x27, FP_STORES[name], rs1, rs2, imm)
    return s_type(0x23, STORES[name], rs1, rs2, imm)


def ld(rd: int, rs1: int, imm: int = 0) -> bytes:
    return load("ld", rd, rs1, imm)


def lw(rd: int, rs1: int, imm: int = 0) -> bytes:
    return load("lw", rd, rs1, imm)


def lbu(rd: int, rs1: int, imm: int = 0) -> bytes:
    return load("lbu", rd, rs1, imm)


def sd(rs2: int, rs1: int, imm: int = 0) -> bytes:
    return store("sd", rs2, rs1, imm)


def sw(rs2: int, rs1: int, imm: int = 0) -> bytes:
    return store("sw", rs2, rs1, imm)


# Atomics; ``size`` is 4 or 8.

AMOS = {
    "amoadd": 0x00,
    "amoswap": 0x01,
    "amoxor": 0x04,
    "amoor": 0x08,
    "amoand": 0x0C,
    "amomin": 0x10,
    "amomax": 0x14,
    "amominu": 0x18,
    "amomaxu": 0x1C,
}


def amo(name: str, size: int, rd: int, rs2: int, rs1: int) -> bytes:
    return r_type(0x2F, rd, size.bit_length() - 1, rs1, rs2, AMOS[name] << 2)


def lr(size: int, rd: int, rs1: int) -> bytes:
    return r_type(0x2F, rd, size.bit_length() - 1, rs1, 0, 0x02 << 2)


def sc(size: int, rd: int, rs2: int, rs1: int) -> bytes:
    return r_type(0x2F, rd, size.bit_length() - 1, rs1, rs2, 0x03 << 2)


# Compressed instructions. A ``_`` register is one of x8 to x15 (f8 to f15).

C_NOP = half(0x0001)
C_EBREAK = half(0x9002)
C_ILLEGAL = half(0x0000)

_CL_CS = {"c.fld": 1, "c.lw": 2, "c.ld": 3, "c.fsd": 5, "c.sw": 6, "c.sd": 7}
C_LOADS = ("c.lw", "c.ld", "c.fld")
C_STORES = ("c.sw", "c.sd", "c.fsd")
C_SP_LOADS = ("c.lwsp", "c.ldsp", "c.fldsp")
C_SP_STORES = ("c.swsp", "c.sdsp", "c.fsdsp")
C_SIZE = {
    name: 4 if "w" in name else 8 for name in (*C_LOADS, *C_STORES, *C_SP_LOADS, *C_SP_STORES)
}


def c_addi(rd: int, imm: int) -> bytes:
    assert -32 <= imm < 32
    return half(bits(imm, 5, 5) << 12 | rd << 7 | bits(imm, 4, 0) << 2 | 1)


def c_access(name: str, value_: int, base_: int, offset: int) -> bytes:
    """c.lw, c.ld, c.fld, c.sw, c.sd, c.fsd: format CL or CS."""
    four_bytes, eight_bytes = bits(offset, 2, 2) << 1 | bits(offset, 6, 6), bits(offset, 7, 6)
    low = four_bytes if C_SIZE[name] == 4 else eight_bytes
    middle = bits(offset, 5, 3) << 10 | (base_ - 8) << 7 | low << 5
    return half(_CL_CS[name] << 13 | middle | (value_ - 8) << 2)


def c_sp_load(name: str, rd: int, offset: int) -> bytes:
    """c.lwsp, c.ldsp, c.fldsp: format CI."""
    funct3 = _CL_CS[name.removesuffix("sp")]
    if C_SIZE[name] == 4:
        low = bits(offset, 4, 2) << 2 | bits(offset, 7, 6)
    else:
        low = bits(offset, 4, 3) << 3 | bits(offset, 8, 6)
    return half(funct3 << 13 | bits(offset, 5, 5) << 12 | rd << 7 | low << 2 | 2)


def c_sp_store(name: str, rs2: int, offset: int) -> bytes:
    """c.swsp, c.sdsp, c.fsdsp: format CSS."""
    funct3 = _CL_CS[name.removesuffix("sp")]
    if C_SIZE[name] == 4:
        field = bits(offset, 5, 2) << 2 | bits(offset, 7, 6)
    else:
        field = bits(offset, 5, 3) << 3 | bits(offset, 8, 6)
    return half(funct3 << 13 | field << 7 | rs2 << 2 | 2)


# Floating point.


def fadd_d(rd: int, rs1: int, rs2: int) -> bytes:
    return r_type(0x53, rd, 7, rs1, rs2, 0x01)


def fmv_d_x(rd: int, rs1: int) -> bytes:
    return r_type(0x53, rd, 0, rs1, 0, 0x79)


def csrr(rd: int, csr: int) -> bytes:
    return word(csr << 20 | 2 << 12 | rd << 7 | 0x73)


def csrw(csr: int, rs1: int) -> bytes:
    return word(csr << 20 | rs1 << 15 | 1 << 12 | 0x73)
