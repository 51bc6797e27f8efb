# SPDX-License-Identifier: Apache-2.0
"""Words and phrases that game developers use, and the starter tags they mean. Data only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_BY_TAG: Final[Mapping[str, str]] = {
    "exploration": """
        explore, explorer, exploring, adventure, adventurous, overworld, open world, travel, traveling,
        travelling, journey, wander, wandering, field, plains, meadow, quest, roam, roaming, discovery,
        discover, hiking, road, map, world map, voyage, expedition, landscape, nature, forest, woods, jungle,
        ambience, pilgrimage, horizon, mountain, sky, flying, sailing, fantasy, hills, path, valley
    """,
    "stealth": """
        sneak, sneaky, sneaking, infiltration, infiltrate, spy, espionage, suspense, suspenseful, tension,
        tense, agent, heist, hidden, hiding, shadow, shadowy, thief, noir, detective, investigation,
        surveillance, prowl, lurking, cautious, covert, ninja, assassin, anticipation, danger nearby, alert
    """,
    "combat": """
        battle, fight, fighting, war, action, attack, enemy, enemies, skirmish, ambush, chase, pursuit, danger,
        warrior, clash, assault, duel, conflict, fray, monster, encounter, random encounter, army, siege, brawl,
        warfare, soldier, under attack, shooting, shooter, arena, raiders, hostile
    """,
    "boss": """
        final boss, boss fight, boss battle, epic battle, epic, metal, raid, last boss, final battle, showdown,
        dragon, demon, heavy metal, climax, apocalypse, doom, titan, overlord, villain, hell, infernal, giant,
        colossal
    """,
    "victory": """
        triumph, triumphant, win, winning, fanfare, heroic, hero, celebration, celebrate, reward, success,
        glory, glorious, champion, level up, quest complete, mission complete, level complete, victorious,
        majestic, royal, coronation, parade, achievement, noble, won, treasure
    """,
    "village": """
        town, folk, tavern, market, medieval, pastoral, inn, city, hamlet, countryside, farm, farming, shop,
        merchant, home, homely, fair, festival, hometown, celtic, irish, bard, peasant, harvest, rural, rustic,
        castle town, dance, port, harbour, harbor, pub, settlement, camp, guild
    """,
    "horror": """
        scary, creepy, haunted, dread, nightmare, terror, terrifying, fear, eerie, ghost, zombie, undead,
        spooky, halloween, crypt, graveyard, sinister, disturbing, unsettling, macabre, asylum, evil, cursed,
        occult, vampire, monsterous, survival horror, lovecraftian, dungeon, catacomb, frightening, menacing,
        ritual, insanity, abandoned
    """,
    "synthwave": """
        retrowave, 80s, eighties, 1980s, neon, cyberpunk, outrun, vaporwave, darksynth, driving, racing, race,
        night drive, futuristic city, hacker, hacking, techno, club, dance floor, electro, edm, house, trance,
        highway, arcade racer, cyber
    """,
    "lofi": """
        lo fi, chill, chilled, chillhop, menu, main menu, study, jazzy, jazz, relaxed, relaxing, lounge, hip
        hop, hiphop, coffee, cafe, cosy, cozy, laid back, mellow, beats to study to, bossa, pause, pause menu,
        loading screen, lobby, smooth
    """,
    "underwater": """
        ocean, sea, water level, water, aquatic, ambient, submarine, diving, deep sea, reef, coral, lake, river,
        swimming, marine, abyss, floating, dreamy, dream, drifting, meditation, meditative
    """,
    "chiptune": """
        8 bit, 8bit, 16 bit, retro game, retro, arcade, nes, gameboy, game boy, chip, pixel, pixel art,
        platformer, c64, famicom, sega, bitpop, old school, jump and run, side scroller
    """,
    "desert": """
        arabian, arabic, oasis, bazaar, sand, egypt, egyptian, middle eastern, oriental, pyramid, sahara, dune,
        caravan, persian, ancient, souk, tomb, nomad, turkish, scorching, canyon
    """,
    "space": """
        sci fi, scifi, science fiction, cosmic, cosmos, stars, star, orbit, galaxy, spaceship, starship, alien,
        planet, interstellar, astronaut, nebula, void, moon, futuristic, universe, space station, satellite,
        zero gravity, celestial
    """,
    "winter": """
        snow, snowy, ice, icy, christmas, frozen, frost, cold, glacier, arctic, blizzard, tundra, xmas, holiday,
        aurora, crystal, crystalline, wonderland
    """,
    "sad": """
        sorrow, sorrowful, melancholy, melancholic, loss, ending, emotional, grief, tragic, tragedy, mourning,
        lament, farewell, death, game over, defeat, lonely, loneliness, nostalgic, nostalgia, tears, crying,
        credits, funeral, heartbreak, bittersweet, regret, rain, rainy, longing, touching, romance, romantic,
        love, aftermath
    """,
    "puzzle": """
        thinking, quirky, clockwork, playful, logic, riddle, brain, curious, curiosity, mystery, mysterious,
        tinkering, whimsical, funny, comic, comedy, silly, minigame, mini game, mischievous, laboratory, cute,
        magic, magical, wonder, crafting, building, tutorial, strategy
    """,
    "fast": """
        quick, uptempo, up tempo, urgent, urgency, rapid, speedy, hurry, rushing, hectic, frantic, high speed,
        swift, allegro, presto, speed
    """,
    "slow": """
        downtempo, down tempo, slower, sluggish, adagio, largo, unhurried, slow paced, lento
    """,
    "intense": """
        aggressive, powerful, energetic, energy, strong, fierce, furious, fury, violent, brutal, heavy, wild,
        loud, intensity, dramatic, climactic, high energy, relentless, hard, forceful, rage, driving force,
        adrenaline, exciting, harsh, chaotic, chaos
    """,
    "calm": """
        peaceful, peace, gentle, soft, quiet, serene, tranquil, soothing, light, easy, still, stillness,
        delicate, tender, restful, placid, subdued, subtle, safe, safety, resting, sleep, sleepy, lullaby, low
        energy, warm
    """,
    "dark": """
        gloomy, gloom, ominous, minor, grim, bleak, night, nighttime, darkness, somber, sombre, brooding,
        foreboding, moody, minor key, murky, corrupted, twisted, cave, underground, darker
    """,
    "bright": """
        happy, cheerful, sunny, major, joyful, joy, uplifting, hopeful, hope, optimistic, cheery, merry,
        radiant, day, daytime, morning, sunrise, summer, spring, sparkling, sparkly, shimmering, fun, upbeat,
        positive, major key, jolly, bouncy
    """,
    "dense": """
        busy, full, layered, rich, thick, complex, lush, massive, big, full orchestra, complete, grand scale,
        orchestral
    """,
    "sparse": """
        minimal, minimalist, empty, bare, simple, thin, sparsely, minimalistic, stripped down, few notes,
        spacious, airy
    """,
    "drums": """
        percussion, percussive, beat, rhythm, rhythmic, drum, drumming, groove, groovy, beats, war drums, taiko,
        backbeat, drum kit, tribal, rhythms, bongo, marching
    """,
    "drumless": """
        no drums, beatless, without drums, no percussion, no beat, without percussion, a cappella, drum free,
        without beat
    """,
    "piano": """
        keys, grand piano, keyboard, pianist, e piano, electric piano, rhodes, grand
    """,
    "bells": """
        bell, celesta, music box, glockenspiel, chimes, chime, vibraphone, xylophone, marimba, sparkle,
        tinkling, kalimba
    """,
    "strings": """
        violin, orchestra, cello, viola, string, string section, string quartet, symphonic, symphony, fiddle,
        legato strings, cinematic, contrabass
    """,
    "flute": """
        woodwind, whistle, woodwinds, recorder, ocarina, pan flute, clarinet, oboe, wind instrument, tin
        whistle, pipes
    """,
    "organ": """
        church, church organ, pipe organ, hammond, gothic, cathedral, accordion, harmonium, sacred
    """,
    "plucked": """
        harp, guitar, lute, oud, pluck, acoustic guitar, banjo, mandolin, sitar, pizzicato, koto, zither,
        strummed
    """,
    "brass": """
        horns, trumpet, horn, trombone, french horn, tuba, brass section, bugle, hunting horn
    """,
    "synth": """
        electronic, analog, analogue, synthesizer, synthesiser, synths, electronica, pads, sawtooth, digital,
        edm synth
    """,
}

_MIXED: Final[Mapping[str, Mapping[str, float]]] = {
    "choir": {"strings": 0.4, "organ": 0.4},
    "choral": {"strings": 0.4, "organ": 0.4},
    "epic": {"boss": 0.6, "victory": 0.5, "intense": 0.5},
    "orchestral": {"strings": 0.5, "brass": 0.35, "dense": 0.2},
    "cinematic": {"strings": 0.45, "brass": 0.3},
    "dungeon": {"horror": 0.6, "stealth": 0.6, "dark": 0.4},
    "cave": {"stealth": 0.6, "underwater": 0.25, "dark": 0.4},
    "dragon": {"boss": 1.0, "brass": 0.3},
    "shop": {"village": 0.6, "lofi": 0.6},
    "cyberpunk": {"synthwave": 1.0, "dark": 0.4},
    "forest": {"exploration": 1.0, "flute": 0.3, "calm": 0.3},
    "mystery": {"puzzle": 0.6, "stealth": 0.6},
    "mysterious": {"puzzle": 0.6, "stealth": 0.6},
    "chase": {"combat": 1.0, "fast": 0.5},
    "pursuit": {"combat": 1.0, "fast": 0.5},
    "metal": {"boss": 1.0, "intense": 0.4, "drums": 0.3},
    "techno": {"synthwave": 1.0, "fast": 0.3, "drums": 0.3},
    "spaceship": {"space": 1.0, "synth": 0.2},
    "lullaby": {"calm": 0.6, "bells": 0.5, "slow": 0.4},
    "music box": {"bells": 0.7, "sparse": 0.3},
    "christmas": {"winter": 1.0, "bells": 0.4, "bright": 0.4},
    "halloween": {"horror": 1.0, "organ": 0.3},
    "romantic": {"sad": 0.7, "bright": 0.3, "strings": 0.4},
    "romance": {"sad": 0.7, "bright": 0.3, "strings": 0.4},
    "ambient": {"underwater": 0.6, "space": 0.5, "calm": 0.4, "sparse": 0.3},
    "danger": {"combat": 0.7, "stealth": 0.6},
    "hopeful": {"exploration": 0.6, "bright": 0.6},
    "heroic": {"victory": 0.8, "combat": 0.4, "brass": 0.4},
    "magic": {"puzzle": 0.5, "winter": 0.5, "bells": 0.3},
    "magical": {"puzzle": 0.5, "winter": 0.5, "bells": 0.3},
    "western": {"desert": 0.5, "village": 0.5, "plucked": 0.6},
    "cowboy": {"desert": 0.5, "village": 0.5, "plucked": 0.6},
    "pirate": {"village": 0.7, "combat": 0.5, "fast": 0.2},
    "samurai": {"combat": 0.6, "desert": 0.3, "plucked": 0.6},
    "steampunk": {"puzzle": 0.7, "combat": 0.3, "organ": 0.3},
    "post apocalyptic": {"horror": 0.4, "desert": 0.4, "sad": 0.4, "dark": 0.4},
    "wasteland": {"desert": 0.7, "sad": 0.4, "dark": 0.4},
    "temple": {"desert": 0.6, "puzzle": 0.4, "organ": 0.3},
    "ruins": {"exploration": 0.6, "desert": 0.4, "dark": 0.4},
    "swamp": {"stealth": 0.5, "horror": 0.5, "underwater": 0.3},
    "volcano": {"boss": 0.6, "desert": 0.4, "intense": 0.4},
    "lava": {"boss": 0.6, "desert": 0.4, "intense": 0.4},
    "fairy": {"puzzle": 0.5, "winter": 0.5, "bright": 0.4, "bells": 0.4},
    "racing": {"synthwave": 1.0, "fast": 0.5},
}  # fmt: skip


def _collect() -> Mapping[str, str | Mapping[str, float]]:
    out: dict[str, str | Mapping[str, float]] = {}
    for tag, phrases in _BY_TAG.items():
        for phrase in phrases.split(","):
            out[" ".join(phrase.split())] = tag
    return {**out, **_MIXED}


SYNONYMS: Final[Mapping[str, str | Mapping[str, float]]] = _collect()
"""Phrase (lower case, single blanks, no hyphens) to a tag, or to several tags with weights."""
