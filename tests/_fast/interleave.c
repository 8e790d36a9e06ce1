/* Plays processes against each other inside one: every atomic access of the headers is a point at which another may go on, or
 * at which a process dies. The schedules are random, from a seed that is printed when a check fails.
 *
 *     interleave <scenario> <runs> [<seed>]
 */
#define _XOPEN_SOURCE 700
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

static void step(void);

#undef atomic_load_explicit
#undef atomic_store_explicit
#undef atomic_fetch_add_explicit
#define atomic_load_explicit(word, order) (step(), *(word))
#define atomic_store_explicit(word, to, order) (step(), (void)(*(word) = (to)))
#define atomic_fetch_add_explicit(word, more, order) (step(), (*(word) += (more)) - (more))
#define gw_pair_swap_seq_cst at_once
#include "atomics.h"
#undef gw_pair_swap_seq_cst

static inline int gw_pair_swap_seq_cst(gw_pair *pair, gw_seen from, gw_seen to) {
    step();
    return at_once(pair, from, to);
}

#include "bucket.h"
#include "hold.h"

enum { ACTORS_MAX = 4, CAPACITY = 8, SLOTS = 4, STACK = 65536 };
enum life { ABSENT, READY, DEAD, ENDED };

static struct {
    ucontext_t context;
    void (*play)(int);
    enum life life;
    char stack[STACK];
} actors[ACTORS_MAX];
static ucontext_t stage;
static int actor_count, playing = -1, mortal; /* mortal: bit i: actor i may die */
static unsigned left;                         /* steps until someone else may go on */
static uint64_t seed, chance;

static unsigned draw(unsigned below) {
    chance ^= chance << 13;
    chance ^= chance >> 7;
    chance ^= chance << 17;
    return (unsigned)(chance >> 33) % below;
}

static void fail(const char *why) {
    fprintf(stderr, "seed %llu: %s\n", (unsigned long long)seed, why);
    exit(1);
}
#define CHECK(claim) ((claim) ? (void)0 : fail(#claim))

/* Outside of a play, checks and setups run through. */
static void step(void) {
    if (playing < 0 || left-- > 0) return;
    if ((mortal >> playing & 1) && draw(6) == 0) actors[playing].life = DEAD;
    swapcontext(&actors[playing].context, &stage);
}

static void enter(int number) {
    actors[number].play(number);
    actors[number].life = ENDED;
}

static void cast(int number, void (*play)(int)) {
    actors[number].play = play;
    actors[number].life = READY;
    getcontext(&actors[number].context);
    actors[number].context.uc_stack.ss_sp = actors[number].stack;
    actors[number].context.uc_stack.ss_size = STACK;
    actors[number].context.uc_link = &stage;
    makecontext(&actors[number].context, (void (*)(void))enter, 1, number);
    if (number >= actor_count) actor_count = number + 1;
}

static void perform(void) {
    for (;;) {
        int ready[ACTORS_MAX], count = 0;
        for (int i = 0; i < actor_count; i++) {
            if (actors[i].life == READY) ready[count++] = i;
        }
        if (count == 0) return;
        playing = ready[draw((unsigned)count)];
        left = draw(3) ? draw(8) : draw(60);
        swapcontext(&stage, &actors[playing].context);
        playing = -1;
    }
}

/* --- the memory ----------------------------------------------------------------------------------------------------- */

static _Alignas(64) struct {
    gw_record records[CAPACITY];
    gw_slot slots[SLOTS];
    gw_word direct;
} memory;
static gw_cells cells;
static gw_holder holders[SLOTS];
static int64_t found[ACTORS_MAX], result[ACTORS_MAX];
static int64_t neighbours[3]; /* keys with the same home */

static void set_up(void) {
    memset(&memory, 0, sizeof memory);
    gw_table_init(&cells.table, memory.records, 3);
    cells.slots = memory.slots;
    cells.slot_count = SLOTS;
    cells.direct = &memory.direct;
    actor_count = mortal = 0;
    for (int i = 0; i < SLOTS; i++) holders[i].slot = &memory.slots[i];
    for (int i = 0; i < ACTORS_MAX; i++) found[i] = result[i] = actors[i].life = ABSENT;
    int count = 0;
    for (int64_t key = 1; count < 3; key++) {
        if (gw_place(&cells.table, key, 0) == 5) neighbours[count++] = key;
    }
}

static int64_t find(int64_t key) {
    uint64_t tag;
    return gw_cells_find(&cells, key, &tag);
}

static gw_path path_of(const int64_t *keys, int size, int64_t limit) {
    gw_path path = {.size = (uint32_t)size};
    for (int i = 0; i < size; i++) {
        uint64_t tag;
        const int64_t index = gw_cells_find(&cells, keys[i], &tag);
        gw_item_init(&path.items[i], (uint64_t)index, tag, keys[i] == 100 ? GW_UNITS : GW_HARD, keys[i] == 100 ? 9 : limit);
        path.warn_at[i] = -1;
    }
    return path;
}

static int64_t word_of(int64_t index, int word) { return memory.records[index].words[word].value; }

/* How many members a key has; the index of one in *index. */
static int members(int64_t key, int64_t *index) {
    int count = 0;
    for (int i = 0; i < CAPACITY; i++) {
        const gw_pair *name = &memory.records[i].name;
        if (gw_state_of(name->tag) != GW_MEMBER || name->value != key) continue;
        *index = i;
        count++;
    }
    return count;
}

/* --- a key has one cell --------------------------------------------------------------------------------------------- */

static void finds(int number) { found[number] = find(neighbours[2]); }
static void forgets_neighbours(int number) {
    (void)number;
    for (int i = 0; i < 2; i++) {
        uint64_t tag;
        const int64_t index = gw_table_lookup(&cells.table, neighbours[i], &tag);
        if (index >= 0) gw_cell_forget(&cells, (uint64_t)index);
    }
}
static void finds_neighbour(int number) { found[number] = find(neighbours[draw(2)]); }

static void one_cell(void) {
    find(neighbours[0]);
    find(neighbours[1]);
    cast(0, finds);
    cast(1, finds);
    cast(2, forgets_neighbours);
    cast(3, draw(2) ? finds_neighbour : finds);
    mortal = 1 << 3;
    perform();
    int64_t index = -1;
    CHECK(members(neighbours[2], &index) == 1);
    CHECK(found[0] == index && found[1] == index && find(neighbours[2]) == index);
    CHECK(members(neighbours[0], &index) <= 1 && members(neighbours[1], &index) <= 1);
    for (int i = 0; i < CAPACITY; i++) CHECK(word_of(i, GW_USED) == 0 || word_of(i, GW_USED) == GW_GONE);
}

/* --- a hold and a forgetting: one of them ---------------------------------------------------------------------------- */

static gw_path shared_path;

static void holds_one(int number) {
    const int64_t key = neighbours[0];
    gw_path path = number == 0 && draw(2) ? shared_path : path_of(&key, 1, 10);
    result[number] = gw_hold(&cells, &holders[number], &path, 6, 0);
}
static void forgets_and_enters(int number) {
    for (int i = 0; i < 2; i++) {
        uint64_t tag;
        const int64_t index = gw_table_lookup(&cells.table, neighbours[0], &tag);
        if (index >= 0) gw_cell_forget(&cells, (uint64_t)index);
        if (draw(2)) found[number] = find(neighbours[1]);
        if (draw(2)) find(neighbours[0]);
    }
}

static void hold_or_forget(void) {
    const int64_t key = neighbours[0];
    shared_path = path_of(&key, 1, 10);
    if (draw(2)) gw_cell_forget(&cells, (uint64_t)find(key));
    for (int i = 0; i < 3; i++) result[i] = GW_NOT_FREE;
    cast(0, holds_one);
    cast(1, holds_one);
    cast(2, forgets_and_enters);
    cast(3, forgets_and_enters);
    perform();
    int64_t index = -1;
    const int count = members(key, &index), taken = (result[0] == GW_TAKEN) + (result[1] == GW_TAKEN);
    CHECK(count <= 1 && taken <= 1);
    CHECK(taken == 0 || (count == 1 && word_of(index, GW_USED) == 6));
    if (count == 1) CHECK(word_of(find(key), GW_USED) == 6 * taken);
    if (members(neighbours[1], &index) == 1) CHECK(word_of(find(neighbours[1]), GW_USED) == 0);
    for (int i = 0; i < 2; i++) {
        if (result[i] != GW_TAKEN) continue;
        CHECK(gw_post(&cells, holders[i].slot, 7) == GW_OK);
        CHECK(word_of(find(key), GW_USED) == 7 && word_of(find(key), GW_SETTLED) == 7);
    }
}

/* --- everything is settled once, whoever dies ------------------------------------------------------------------------ */

static const int64_t on_path[] = {1, 100, 2};
static int64_t actual_of[ACTORS_MAX];

static void spends(int number) {
    gw_path path = path_of(on_path, 3, 100);
    gw_holder *holder = &holders[number];
    if (gw_hold(&cells, holder, &path, 40, 0) != GW_TAKEN) return;
    gw_store_relaxed(&holder->slot->observed, 3);
    if (number == 0) gw_extend(&cells, holder, 35);
    if (number == 1) gw_retract(&cells, holder->slot, 25);
    if (actual_of[number] < 0) gw_void(&cells, holder->slot);
    else gw_post(&cells, holder->slot, actual_of[number]);
}
static void reaps(int number) {
    (void)number;
    for (int i = 0; i < 2; i++) {
        if (actors[i].life == DEAD) gw_reap(&cells, &memory.slots[i], -1);
    }
}

static void settle_once(void) {
    for (int i = 0; i < 3; i++) {
        const int64_t actuals[] = {-1, 0, 39, 41, 90};
        actual_of[i] = actuals[draw(5)];
        cast(i, spends);
    }
    mortal = 3;
    perform();
    cast(3, reaps); /* beside whatever the third does next; it may die too */
    actual_of[2] = 13;
    cast(2, spends);
    mortal = 8;
    perform();
    reaps(3);
    int64_t settled = 0;
    for (int i = 0; i < 3; i++) {
        const enum gw_turn state = gw_turn_of(memory.slots[i].turn.tag);
        CHECK(state == GW_POSTED || state == GW_VOIDED || (state == GW_FREE_SLOT && actors[i].life == DEAD));
    }
    for (int i = 0; i < 3; i += 2) {
        const int64_t index = find(on_path[i]);
        CHECK(word_of(index, GW_USED) == word_of(index, GW_SETTLED));
        CHECK(word_of(index, GW_USED) <= 100 + word_of(index, GW_OVERRUN));
        if (i == 0) settled = word_of(index, GW_SETTLED);
        else CHECK(word_of(index, GW_SETTLED) == settled);
    }
    CHECK(word_of(find(100), GW_USED) == 0 && word_of(find(100), GW_SETTLED) == 0);
}

/* --- a bucket grants its burst, no more and no less ------------------------------------------------------------------ */

static gw_limit limits[2];
static int granted[ACTORS_MAX];

static void takes(int number) {
    int64_t wait_ns;
    for (int i = 0; i < 3; i++) granted[number] += gw_take_all(limits, 2, 1, 1000, &wait_ns) < 0;
}

static void grants_the_burst(void) {
    gw_limit_init(&limits[0], &memory.records[0].words[0], 10, 3, 9);
    gw_limit_init(&limits[1], &memory.records[1].words[0], 10, 7, 5);
    memset(granted, 0, sizeof granted);
    for (int i = 0; i < 3; i++) cast(i, takes);
    perform();
    const int sum = granted[0] + granted[1] + granted[2];
    CHECK(sum <= 5);
    const gw_pair *first = &memory.records[0].words[0], *second = &memory.records[1].words[0];
    CHECK((first->value - 1000) * 3 + (int64_t)first->tag == sum * 10);
    CHECK((second->value - 1000) * 7 + (int64_t)second->tag == sum * 10);
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        void (*play)(void);
    } scenarios[] = {
        {"one_cell", one_cell}, {"hold_or_forget", hold_or_forget}, {"settle_once", settle_once}, {"grants", grants_the_burst}
    };
    if (argc < 3) return 2;
    const uint64_t runs = strtoull(argv[2], NULL, 10), first = argc > 3 ? strtoull(argv[3], NULL, 10) : 1;
    for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++) {
        if (strcmp(argv[1], scenarios[i].name) != 0) continue;
        for (seed = first; seed < first + runs; seed++) {
            chance = seed * UINT64_C(0x9E3779B97F4A7C15) | 1;
            for (int warm = 0; warm < 4; warm++) draw(2);
            set_up();
            scenarios[i].play();
        }
        return 0;
    }
    return 2;
}
