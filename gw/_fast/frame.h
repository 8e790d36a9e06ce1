/* One frame of the journal, written column by column: a msgpack array behind a head with its length and CRC.
 *
 * Integers and texts take their shortest form, as msgspec's encoder does, so that both write the same bytes.
 * The frame's layout is the journal's (gw/ledger/journal.py).
 */
#ifndef GW_FRAME_H
#define GW_FRAME_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "crc.h"

enum { GW_FRAME_HEAD = 12, GW_FRAME_TAG = 4, GW_FRAME_LENGTH = 8 };

struct gw_frame {
    uint8_t *bytes;
    size_t size, room;
    uint32_t seed; /* of the CRC */
    struct gw_crc crc;
};

/* Room for `more` bytes; 0, or -1 without memory. */
static inline int gw_frame_room(struct gw_frame *frame, size_t more) {
    if (frame->size + more <= frame->room) return 0;
    const size_t room = 2 * (frame->size + more);
    uint8_t *bytes = (uint8_t *)realloc(frame->bytes, room);
    if (!bytes) return -1;
    frame->bytes = bytes;
    frame->room = room;
    return 0;
}

/* Below, the caller has seen to the room: `size` bytes of the value and 9 for what stands before it. */

static inline void gw_frame_byte(struct gw_frame *frame, unsigned value) { frame->bytes[frame->size++] = (uint8_t)value; }

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the bytes of a number are swapped");

static inline void gw_frame_big_endian(struct gw_frame *frame, uint64_t value, int size) {
    const uint64_t swapped = __builtin_bswap64(value << 8 * (8 - size));
    memcpy(frame->bytes + frame->size, &swapped, sizeof swapped); /* there is room for eight behind a head */
    frame->size += (size_t)size;
}

static inline void gw_frame_unsigned(struct gw_frame *frame, uint64_t value) {
    if (value < 128) return gw_frame_byte(frame, (unsigned)value);
    const int exponent = value <= UINT8_MAX ? 0 : value <= UINT16_MAX ? 1 : value <= UINT32_MAX ? 2 : 3;
    gw_frame_byte(frame, 0xCCu + (unsigned)exponent);
    gw_frame_big_endian(frame, value, 1 << exponent);
}

static inline void gw_frame_signed(struct gw_frame *frame, int64_t value) {
    if (value >= 0) return gw_frame_unsigned(frame, (uint64_t)value);
    if (value >= -32) return gw_frame_byte(frame, (unsigned)(value & 255));
    const int exponent = value >= INT8_MIN ? 0 : value >= INT16_MIN ? 1 : value >= INT32_MIN ? 2 : 3;
    gw_frame_byte(frame, 0xD0u + (unsigned)exponent);
    gw_frame_big_endian(frame, (uint64_t)value, 1 << exponent);
}

static inline void gw_frame_raw(struct gw_frame *frame, const void *bytes, size_t size) {
    memcpy(frame->bytes + frame->size, bytes, size);
    frame->size += size;
}

static inline void gw_frame_text(struct gw_frame *frame, const uint8_t *utf8, size_t size) {
    if (size < 32) {
        gw_frame_byte(frame, 0xA0u | (unsigned)size);
    } else {
        const int exponent = size <= UINT8_MAX ? 0 : size <= UINT16_MAX ? 1 : 2;
        gw_frame_byte(frame, 0xD9u + (unsigned)exponent);
        gw_frame_big_endian(frame, size, 1 << exponent);
    }
    gw_frame_raw(frame, utf8, size);
}

static inline void gw_frame_array(struct gw_frame *frame, size_t count) {
    if (count < 16) return gw_frame_byte(frame, 0x90u | (unsigned)count);
    gw_frame_byte(frame, count <= UINT16_MAX ? 0xDCu : 0xDDu);
    gw_frame_big_endian(frame, count, count <= UINT16_MAX ? 2 : 4);
}

/* Length and CRC go where `begin` left room for them. For the CRC tag and length stand next to the payload. */
static inline void gw_frame_seal(struct gw_frame *frame) {
    uint8_t *bytes = frame->bytes;
    const size_t payload = frame->size - GW_FRAME_HEAD;
    gw_put_le32(bytes + GW_FRAME_TAG, (uint32_t)payload);
    uint8_t *start = bytes + GW_FRAME_HEAD - GW_FRAME_LENGTH;
    memmove(start, bytes, GW_FRAME_LENGTH);
    const uint32_t crc = gw_crc32(&frame->crc, frame->seed, start, GW_FRAME_LENGTH + payload);
    memmove(bytes, start, GW_FRAME_LENGTH);
    gw_put_le32(bytes + GW_FRAME_LENGTH, crc);
}

#endif
