/* Does random accesses through random Sv39 page tables and reports the hart's results.
 *
 * Runs in M-mode on the bare "virt" board. Every case builds TABLES page tables from a random
 * generator; every access descends to U- or S-mode and comes back by its trap. cases.py draws the
 * same numbers in the same order, so the log need hold results only:
 *
 *   = DIGEST               a case begins; of its tables
 *   CAUSE [RESULT] [*T.I^XOR]…  an access: mcause; the value read, or the instruction that was found
 *                          at a fetch, or mtval - address; PTE I of table T changed
 *   # DIGEST               of the arena, after every 16 cases
 *
 * All bytes of the arena are such that instructions made of them, however aligned, are illegal: a
 * fetch that succeeds ends at once, and mtval shows what was fetched.
 */
typedef unsigned long u64;
typedef unsigned char u8;

enum { V = 1, R = 2, W = 4, X = 8, U = 16, G = 32, A = 64, D = 128, RSW0 = 256, RSW1 = 512 };
enum { TABLES = 6, INDICES = 5, STUB_INDEX = 64, ACCESSES = 10, DATA_KINDS = 12, FETCH = 12 };

#define RAM_PPN 0x80000ul /* the arena is the first 4 MiB, and a page that straddling may reach */
#define ARENA ((u64 *)0x80000000)
#define ARENA_WORDS ((0x400000 + 0x1000) / 8)
#define TABLES_PPN 0x80600ul
#define STUB_PPN 0x80800ul
#define STUB_VA ((u64)STUB_INDEX << 30) /* its first page is for U-mode, its second for S-mode */

static const u64 indices[INDICES] = {0, 1, 255, 256, 511};
static const u64 outside[] = {0x200, 0x81000, 0xc0000, (1ul << 44) - 1};
static const u8 illegal[8] = {0x0b, 0x2b, 0x5b, 0x7b, 0x6b, 0x77, 0x3f, 0x7f};

u64 descend(u64 pc, u64 value, u64 address);

#define csr_read(name) ({ u64 value_; asm volatile("csrr %0, " #name : "=r"(value_)); value_; })
#define csr_write(name, value) asm volatile("csrw " #name ", %0" ::"r"(value) : "memory")

/* ---- the serial port */

static void put(char c) {
  volatile u8 *uart = (u8 *)0x10000000;
  while (!(uart[5] & 0x20)) {
  }
  uart[0] = c;
}

static void put_hex(u64 value) {
  int digits = 1;
  while (digits < 16 && value >> 4 * digits) digits++;
  while (digits--) put("0123456789abcdef"[value >> 4 * digits & 15]);
}

/* ---- the random generator: SplitMix64 */

static u64 state;

static u64 mix(u64 z) {
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
  z = (z ^ z >> 27) * 0x94d049bb133111eb;
  return z ^ z >> 31;
}

static u64 next(void) { return mix(state += 0x9e3779b97f4a7c15); }
static u64 below(u64 n) { return (next() >> 32) * n >> 32; }

/* Eight bytes that contain no valid instruction; four random bits each. */
static u64 spread(u64 random) {
  u64 word = 0;
  for (int i = 0; i < 8; i++, random >>= 4)
    word |= (u64)(illegal[random & 7] | (random & 8) << 4) << 8 * i;
  return word;
}

/* ---- page tables */

static u64 *const tables = (u64 *)(TABLES_PPN << 12);
static u64 shadow[TABLES][INDICES];

static u64 *entry(int table, int i) { return &tables[512 * table + indices[i]]; }

static u64 random_pte(void) {
  static const u64 pointer_slips[] = {V, W, U, A, D, RSW0};
  static const u64 rights[] = {R, R | W, X, R | X, R | W | X, R | W | X};
  static const u64 leaf_slips[] = {V, R, W, X, A, D, RSW0, RSW1};
  u64 flags = V, frame;
  if (below(2)) {
    if (!below(4)) flags |= G;
    frame = TABLES_PPN + below(TABLES);
    if (!below(12)) flags ^= pointer_slips[below(6)];
  } else {
    if (below(4)) flags |= U;
    flags |= rights[below(6)];
    flags |= below(4) * A; /* none, A, D, A and D */
    u64 where = below(4);
    frame = RAM_PPN + (where == 3 ? below(1024) : where == 2 ? 512 : 0);
    if (!below(12)) flags ^= leaf_slips[below(8)];
  }
  if (!below(32)) frame = outside[below(4)];
  if (!below(32)) flags |= 1ul << (54 + below(10));
  return frame << 10 | flags;
}

static void build_tables(void) {
  u64 digest = 0;
  for (int table = 0; table < TABLES; table++)
    for (int i = 0; i < INDICES; i++) {
      u64 pte = random_pte();
      *entry(table, i) = shadow[table][i] = pte;
      digest = mix(digest ^ pte);
    }
  put('='), put(' '), put_hex(digest >> 32), put('\n');
}

/* Any table may be the root, so all lead to the stubs, through two further tables. */
static void map_stubs(void) {
  for (int table = 0; table < TABLES; table++)
    tables[512 * table + STUB_INDEX] = (TABLES_PPN + TABLES) << 10 | V;
  tables[512 * TABLES] = (TABLES_PPN + TABLES + 1) << 10 | V;
  tables[512 * (TABLES + 1)] = STUB_PPN << 10 | V | X | A | U;
  tables[512 * (TABLES + 1) + 1] = STUB_PPN << 10 | V | X | A;
}

static void report_changes(void) {
  for (int table = 0; table < TABLES; table++)
    for (int i = 0; i < INDICES; i++) {
      u64 changed = *entry(table, i) ^ shadow[table][i];
      if (!changed) continue;
      put(' '), put('*'), put_hex(table), put('.'), put_hex(i), put('^'), put_hex(changed);
      shadow[table][i] ^= changed;
    }
}

/* ---- accesses */

static u64 random_va(u64 size, int aligned) {
  u64 va = below(2) ? below(4096) : 4088 + below(8);
  for (int level = 0; level < 3; level++) va |= indices[below(INDICES)] << (12 + 9 * level);
  if (va >> 38) va |= ~0ul << 39;
  if (!below(20)) va ^= 1ul << (38 + below(26));
  return aligned ? va & -size : va;
}

static void access(void) {
  u64 kind = below(16);
  if (kind > FETCH) kind = FETCH;
  u64 size = kind == FETCH ? 2 : kind < 8 ? 1ul << (kind & 3) : 4ul << (kind & 1);
  u64 va = random_va(size, kind >= 8);
  u64 supervisor = below(2), sum = below(2), mxr = below(2);
  u64 root = below(16);
  root = root == 15 ? outside[below(4)] : TABLES_PPN + (root < TABLES ? root : 0);
  u64 value = spread(next());

  u64 start = kind == FETCH ? va : STUB_VA + 4096 * supervisor + 8 * kind;
  csr_write(satp, 8ul << 60 | root);
  csr_write(mstatus, supervisor << 11 | sum << 18 | mxr << 19);
  u64 result = descend(start, value, va);
  u64 cause = csr_read(mcause), tval = csr_read(mtval);
  put_hex(cause);
  if (cause == 8 || cause == 9) {
    if (kind < 4 || kind >= 8) put(' '), put_hex(result);
  } else if (cause == 2) {
    put(' '), put_hex(tval);
  } else if (tval != va) {
    put(' '), put_hex(tval - va);
  }
  u64 epc = csr_read(mepc) - start;
  if (epc != (cause == 8 || cause == 9 ? 4 : 0)) put(' '), put('@'), put_hex(epc);
  report_changes();
  put('\n');
}

void main(void) {
  for (u64 i = 0; i < ARENA_WORDS; i++) ARENA[i] = spread(mix(i));
  map_stubs();
  for (u64 number = 0; number < CASES; number++) {
    state = mix(SEED) + number;
    build_tables();
    for (int i = 0; i < ACCESSES; i++) access();
    if (number % 16 != 15) continue;
    u64 digest = 0;
    for (u64 i = 0; i < ARENA_WORDS; i++) digest += ARENA[i] * (2 * i + 1);
    put('#'), put(' '), put_hex(digest), put('\n');
  }
}
