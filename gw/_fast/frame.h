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

enum { GW_FRAME_HEAD = 12, GW_FRAME_TAG = 4, GW_FRAME_LENGTH = 8 };

struct gw_frame {
    uint8_t *bytes;
    size_t size, room;
    uint32_t seed; /* of the CRC */
    uint32_t tables[8][256];
};

/* CRC-32 as of zlib, eight bytes at a time. */
static inline void gw_crc_tables(uint32_t tables[8][256]) {
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;
        for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0xEDB88320) : 0);
        tables[0][i] = crc;
    }
    for (int t = 1; t < 8; t++) {
        for (uint32_t i = 0; i < 256; i++) tables[t][i] = tables[t - 1][i] >> 8 ^ tables[0][tables[t - 1][i] & 255];
    }
}

static inline uint32_t gw_le32(const uint8_t *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline void gw_put_le32(uint8_t *p, uint32_t value) {
    for (int i = 0; i < 4; i++) p[i] = (uint8_t)(value >> 8 * i);
}

static inline uint32_t gw_crc32(uint32_t tables[8][256], uint32_t crc, const uint8_t *p, size_t size) {
    crc = ~crc;
    for (; size >= 8; p += 8, size -= 8) {
        const uint32_t low = crc ^ gw_le32(p), high = gw_le32(p + 4);
        crc = tables[7][low & 255] ^ tables[6][low >> 8 & 255] ^ tables[5][low >> 16 & 255] ^ tables[4][low >> 24] ^
              tables[3][high & 255] ^ tables[2][high >> 8 & 255] ^ tables[1][high >> 16 & 255] ^ tables[0][high >> 24];
    }
    for (; size; p++, size--) crc = crc >> 8 ^ tables[0][(crc ^ *p) & 255];
    return ~crc;
}

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

static inline void gw_frame_big_endian(struct gw_frame *frame, uint64_t value, int size) {
    while (size--) gw_frame_byte(frame, (unsigned)(value >> 8 * size & 255));
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

/* Length and CRC go where `begin` left room for them. */
static inline void gw_frame_seal(struct gw_frame *frame) {
    uint8_t *bytes = frame->bytes;
    const size_t payload = frame->size - GW_FRAME_HEAD;
    gw_put_le32(bytes + GW_FRAME_TAG, (uint32_t)payload);
    uint32_t crc = gw_crc32(frame->tables, frame->seed, bytes, GW_FRAME_LENGTH);
    crc = gw_crc32(frame->tables, crc, bytes + GW_FRAME_HEAD, payload);
    gw_put_le32(bytes + GW_FRAME_LENGTH, crc);
}

#endif
