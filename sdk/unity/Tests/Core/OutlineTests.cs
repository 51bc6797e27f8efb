// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using NUnit.Framework;
using Segue.Audio;
using Segue.Wire;

namespace Segue.Tests
{
    /// <summary>What `segue build` writes, read by the package.</summary>
    [TestFixture]
    public sealed class OutlineTests
    {
        public const string Walk = @"{""format"": 1, ""hash"": ""sha256:12"", ""later"": 1, ""document"": {
            ""soundtrack"": ""walk"", ""version"": 7, ""description"": ""A walk."", ""initial"": ""calm"", ""tags"": [""x""],
            ""parameters"": {""danger"": {""range"": [-1, 0.5], ""default"": 0, ""seek_speed"": 1}},
            ""states"": {""calm"": {}, ""fight"": {""style"": ""fight""}, ""won"": {}},
            ""transitions"": [
                {""from"": [""any""], ""to"": ""fight"", ""on"": [""seen"", ""heard""], ""when"": ""danger > 0"", ""after"": ""2 s"", ""via"": ""dread""},
                {""from"": [""fight"", ""calm""], ""to"": ""won"", ""on"": [""seen"", ""cheered""], ""exit_source_at"": ""next_bar""}],
            ""stingers"": {""hit"": {}, ""treasure"": {}},
            ""events"": {""chest_opened"": {""trigger"": [""treasure""]}, ""heard"": {}}}}";

        [Test]
        public void NamesAreReadInTheOrderOfTheFile()
        {
            var walk = SoundtrackOutline.Parse("\uFEFF" + Walk);
            Check.Equal("walk 7 sha256:12 A walk. calm", string.Join(" ", walk.Id, walk.Version, walk.Hash, walk.Description, walk.Initial));
            Check.Equal("calm fight won", string.Join(" ", walk.States));
            Check.Equal("hit treasure", string.Join(" ", walk.Stingers));
            Check.Equal("seen heard cheered chest_opened", string.Join(" ", walk.Events), "without doubles");
            var danger = walk.Parameters.Single();
            Check.Equal("danger -1 0.5 0", FormattableString.Invariant($"{danger.Name} {danger.Minimum} {danger.Maximum} {danger.Default}"));
            Check.Equal("any", string.Join(" ", walk.Transitions[0].From));
            Check.Equal("fight", walk.Transitions[0].To);
            Check.Equal("seen or heard, when danger > 0, after 2 s", walk.Transitions[0].Cause);
            Check.Equal("dread", walk.Transitions[0].Via);
            Check.Equal("fight calm", string.Join(" ", walk.Transitions[1].From));
            Check.Equal("next_bar", walk.Transitions[1].ExitSourceAt);
            Check.Equal("", walk.Transitions[1].When);
        }

        [Test]
        public void NamesCanBeChecked()
        {
            var walk = SoundtrackOutline.Parse(Walk);
            Check.That(walk.HasState("won") && !walk.HasState("Won"), "states");
            Check.That(walk.HasEvent("cheered") && !walk.HasEvent("calm"), "events");
            Check.That(walk.HasEvent("treasure"), "an event that is named like a stinger plays it");
            Check.That(walk.HasStinger("hit") && !walk.HasStinger("seen"), "stingers");
            Check.Equal(0.5, walk.Parameter("danger").Maximum);
            Check.Equal(null, walk.Parameter("fear"));
            Check.That(!walk.HasState(null) && !walk.HasEvent(null) && !walk.HasStinger(null) && walk.Parameter(null) == null, "no name");
        }

        [Test]
        public void WhatMayBeMissingMay()
        {
            var least = SoundtrackOutline.Parse(
                @"{""format"": 1, ""hash"": """", ""document"": {""soundtrack"": ""s"", ""version"": 0, ""initial"": ""a"", ""states"": {""a"": {}}}}");
            Check.Equal(0, least.Parameters.Count + least.Transitions.Count + least.Stingers.Count + least.Events.Count);
            Check.Equal("", least.Description);
        }

        [Test]
        public void WhatIsWrongIsNamed()
        {
            Says("\"format\": 1", "\"format\": 2", "format: expected 1", "got 2");
            Says("\"format\": 1", "\"formal\": 1", "format: expected a number, got nothing");
            Says("\"hash\": \"sha256:12\"", "\"hash\": 12", "hash: expected a text, got 12");
            Says("\"document\"", "\"documents\"", "document: expected an object, got nothing");
            Says("\"version\": 7", "\"version\": 7.5", "document.version: expected a whole number");
            Says("\"initial\": \"calm\"", "\"initial\": \"clam\"", "document.initial: expected one of the states (calm, fight, won), got \"clam\"");
            Says("[-1, 0.5]", "[1, 0.5]", "document.parameters.danger.range: expected two numbers, the lower one first, got a list of 2");
            Says("\"default\": 0", "\"default\": true", "document.parameters.danger.default: expected a number, got true");
            Says("\"states\": {", "\"states\": 3, \"x\": {", "document.states: expected an object, got 3");
            Says("[\"any\"]", "\"any\"", "document.transitions[0].from: expected a list of names, got \"any\"");
            Says("[\"fight\", \"calm\"]", "[\"fight\", 2]", "document.transitions[1].from[1]: expected a name, got 2");
            Says("\"to\": \"won\"", "\"too\": \"won\"", "document.transitions[1].to: expected a text, got nothing");
            Says("\"transitions\": [", "\"transitions\": [[], ", "document.transitions[0]: expected an object, got a list of 0");
            foreach (string text in new[] { "", "[]", "soundtrack: walk\nversion: 1\n" })
                Check.That(Check.Throws<MalformedException>(() => SoundtrackOutline.Parse(text), text).Message.Contains("expected"), text);
        }

        /// <summary>Whatever is thrown away or written over in a file, it is read, or refused in a sentence.</summary>
        [Test]
        public void ABrokenFileNeverBreaksTheReader()
        {
            var dice = new Random(5);
            int refused = 0;
            for (int round = 0; round < 3000; round++)
            {
                string text = Walk;
                for (int turn = dice.Next(1, 4); turn > 0; turn--)
                {
                    int at = dice.Next(text.Length), length = Math.Min(dice.Next(1, 12), text.Length - at);
                    text = text.Remove(at, length).Insert(at, new[] { "", "null", "{}", "[]", "\"", "1", "true" }[dice.Next(7)]);
                }
                try
                {
                    SoundtrackOutline.Parse(text);
                }
                catch (MalformedException error)
                {
                    refused++;
                    Check.That(error.Message.Contains("expected"), error.Message);
                }
            }
            Check.That(refused > 1000, "most were broken: " + refused);
        }

        [Test]
        public void TheExamplesAreRead()
        {
            foreach (var pair in Examples())
            {
                var document = ((Dictionary<string, object>)Json.Parse(pair.Value)).Object("document");
                var outline = SoundtrackOutline.Parse(pair.Value);
                Check.Equal(pair.Key, outline.Id);
                Check.That(outline.States.SequenceEqual(document.Object("states").Keys), pair.Key + ": states");
                Check.That(outline.Stingers.SequenceEqual(document.Object("stingers").Keys), pair.Key + ": stingers");
                Check.Equal(document.List("transitions").Count(), outline.Transitions.Count, pair.Key);
                Check.Equal(document.Object("parameters").Count, outline.Parameters.Count, pair.Key);
                Check.Equal(outline.Events.Count, outline.Events.Distinct().Count(), pair.Key + ": doubles");
                Check.That(document.Object("events").Keys.All(outline.HasEvent), pair.Key + ": events");
                foreach (var transition in outline.Transitions)
                {
                    Check.That(transition.On.All(outline.HasEvent), pair.Key + ": events of transitions");
                    Check.That(transition.From.Concat(new[] { transition.To }).All(state => state == "any" || outline.HasState(state)), pair.Key);
                    Check.That(transition.Cause.Length > 0, pair.Key + ": every transition has a cause");
                }
                Check.That(outline.Parameters.All(p => p.Minimum <= p.Default && p.Default <= p.Maximum), pair.Key + ": parameters");
            }
        }

        [Test]
        public void NearMissesAreFound()
        {
            var known = new[] { "explore", "combat", "boss", "boss_room", "victory" };
            Check.Equal("combat", NearMisses.Of("combt", known).Single());
            Check.Equal("combat", NearMisses.Of("COMBAT", known)[0]);
            Check.Equal("boss_room", NearMisses.Of("boss-room", known)[0]);
            Check.Equal("boss boss_room", string.Join(" ", NearMisses.Of("boss", known)), "what holds it, too");
            Check.Equal(0, NearMisses.Of("zzz", known).Count);
            Check.Equal("no state \"combt\". Did you mean \"combat\"?", NearMisses.Unknown("state", "combt", known));
            Check.Equal("no state \"bos\". Did you mean \"boss\" or \"boss_room\"?", NearMisses.Unknown("state", "bos", known));
            Check.Equal("no event \"x\". There are none.", NearMisses.Unknown("event", "x", new string[0]));
            Check.Equal("no state \"x\". There is calm.", NearMisses.Unknown("state", "x", new[] { "calm" }));
            Check.That(NearMisses.Unknown("state", "x", known).EndsWith("There are explore, combat, boss, boss_room, victory."), "what there is");
            Check.Equal(0, NearMisses.Of("", known).Count);
        }

        /// <summary>The repository's examples, compiled; which lie outside of what Unity imports.</summary>
        public static Dictionary<string, string> Examples()
        {
            string package = Environment.GetEnvironmentVariable("SEGUE_PACKAGE");
            if (string.IsNullOrEmpty(package)) Check.Skip("$SEGUE_PACKAGE names no folder");
            var found = Directory.GetFiles(Path.Combine(package, "Tests", "Core", "Data~"), "*.soundtrack.json")
                .ToDictionary(path => Path.GetFileName(path).Split('.')[0], File.ReadAllText);
            Check.That(found.Count >= 3, "three examples");
            return found;
        }

        private static void Says(string part, string instead, params string[] said)
        {
            Check.That(Walk.Contains(part), part);
            string message = Check.Throws<MalformedException>(() => SoundtrackOutline.Parse(Walk.Replace(part, instead)), instead).Message;
            foreach (string words in said) Check.That(message.Contains(words), instead + ": " + message);
        }
    }
}
