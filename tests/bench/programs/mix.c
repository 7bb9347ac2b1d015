/* Work between system calls, similar to CoreMark: a linked list
 * is built, reversed, searched and sorted, small matrices are multiplied, a state
 * machine reads numbers out of a string, strings are compared and copied. All results
 * go through a CRC, which must come out the same each time and everywhere. */
#include "bench.h"

#define EXPECTED 0xa218
#define ITEMS 64
#define SIDE 12

struct item {
    struct item *next;
    int16_t key;
    uint16_t weight;
};

static struct item items[ITEMS];
static int32_t left[SIDE][SIDE], right[SIDE][SIDE], product[SIDE][SIDE];

static uint16_t crc_of(uint16_t crc, uint32_t value)
{
    for (int bit = 0; bit < 32; bit++) {
        int carry = (crc ^ value) & 1;
        crc >>= 1;
        value >>= 1;
        if (carry)
            crc ^= 0xa001;
    }
    return crc;
}

static struct item *reverse(struct item *list)
{
    struct item *turned = NULL;
    while (list) {
        struct item *next = list->next;
        list->next = turned;
        turned = list;
        list = next;
    }
    return turned;
}

static struct item *merge(struct item *one, struct item *other)
{
    struct item head, *tail = &head;
    while (one && other) {
        struct item **smaller = one->key <= other->key ? &one : &other;
        tail = tail->next = *smaller;
        *smaller = (*smaller)->next;
    }
    tail->next = one ? one : other;
    return head.next;
}

static struct item *sort(struct item *list)
{
    if (!list || !list->next)
        return list;
    struct item *middle = list, *end = list->next;
    while (end && end->next) {
        middle = middle->next;
        end = end->next->next;
    }
    struct item *second = middle->next;
    middle->next = NULL;
    return merge(sort(list), sort(second));
}

__attribute__((noinline)) static uint16_t lists(uint16_t crc)
{
    uint64_t value = 2463534242u;
    struct item *list = NULL;
    for (int index = 0; index < ITEMS; index++) {
        value = scatter(value);
        items[index] = (struct item){list, (int16_t)value, (uint16_t)(value >> 20)};
        list = &items[index];
    }
    list = reverse(list);
    for (int wanted = 0; wanted < ITEMS; wanted += 4) {
        struct item *found = list;
        while (found && found->key != items[wanted].key)
            found = found->next;
        crc = crc_of(crc, found ? found->weight : 0);
    }
    for (list = sort(list); list; list = list->next)
        crc = crc_of(crc, (uint16_t)list->key);
    return crc;
}

__attribute__((noinline)) static uint16_t matrices(uint16_t crc)
{
    for (int row = 0; row < SIDE; row++) {
        for (int column = 0; column < SIDE; column++) {
            left[row][column] = row * 7 - column * 3;
            right[row][column] = (row ^ column) + 1;
        }
    }
    for (int row = 0; row < SIDE; row++) {
        for (int column = 0; column < SIDE; column++) {
            int32_t sum = 0;
            for (int index = 0; index < SIDE; index++)
                sum += left[row][index] * right[index][column];
            product[row][column] = sum >> 2;
        }
        crc = crc_of(crc, (uint32_t)product[row][row]);
    }
    return crc;
}

enum state { START, SIGN, DIGITS, FRACTION, EXPONENT, WRONG, STATES };

static enum state step(enum state state, char letter)
{
    int digit = letter >= '0' && letter <= '9';
    switch (state) {
    case START:
        return digit ? DIGITS : letter == '-' || letter == '+' ? SIGN : WRONG;
    case SIGN:
        return digit ? DIGITS : WRONG;
    case DIGITS:
        return digit ? DIGITS : letter == '.' ? FRACTION : letter == 'e' ? EXPONENT : WRONG;
    case FRACTION:
        return digit ? FRACTION : letter == 'e' ? EXPONENT : WRONG;
    case EXPONENT:
        return digit ? EXPONENT : WRONG;
    default:
        return WRONG;
    }
}

__attribute__((noinline)) static uint16_t states(uint16_t crc)
{
    static const char text[] = "5012,1.874e5,-110.7,+0.644,-8x9,1e22,T0.3e-1F,+,998,3.14159e0,";
    uint32_t ends[STATES] = {0};
    enum state state = START;
    for (const char *letter = text; *letter; letter++) {
        if (*letter == ',') {
            ends[state]++;
            state = START;
        } else {
            state = step(state, *letter);
        }
    }
    for (int index = 0; index < STATES; index++)
        crc = crc_of(crc, ends[index]);
    return crc;
}

__attribute__((noinline)) static uint16_t strings(uint16_t crc)
{
    static const char *const words[] = {"page", "frame", "fault", "table", "fork", "store"};
    char text[256] = "";
    for (size_t word = 0; word < sizeof words / sizeof *words; word++) {
        strcat(text, words[word]);
        strcat(text, word % 2 ? " " : "-");
        for (size_t other = 0; other < word; other++)
            crc = crc_of(crc, strcmp(words[word], words[other]) < 0);
    }
    crc = crc_of(crc, (uint32_t)strlen(text));
    return crc_of(crc, (uint32_t)(strchr(text, 't') - text));
}

int main(int argc, char **argv)
{
    size_t rounds = argument(argc, argv, 1, 10000);
    uint64_t start = now();
    for (size_t round = 0; round < rounds; round++)
        NEED(strings(states(matrices(lists(0)))) == EXPECTED);
    report("mix", now() - start, rounds);
    return 0;
}
