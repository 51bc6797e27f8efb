// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.Linq;
using Segue.Audio;
using Segue.Wire;

namespace Segue
{
    /// <summary>
    /// What a soundtrack is made of: the names that a game may use. Read from what `segue build` wrote. Does not change; any thread.
    /// </summary>
    public sealed class SoundtrackOutline
    {
        private const double Format = 1;
        private readonly HashSet<string> _states;
        private readonly HashSet<string> _events;
        private readonly HashSet<string> _stingers;
        private readonly Dictionary<string, ParameterOutline> _parameters;

        private SoundtrackOutline(OutlineNode file)
        {
            if (file.Number("format") != Format) throw file.Bad("format", "1 (is this package older than the `segue build` that wrote the file?)");
            Hash = file.Text("hash");
            var document = file.Object("document");
            Id = document.Text("soundtrack");
            Version = document.Whole("version");
            Description = document.TextOrNone("description");
            Initial = document.Text("initial");
            // A Dictionary that nothing is removed from is walked in the order in which it was filled, the file's.
            States = document.Object("states").Keys.ToList();
            Parameters = Read(document.ObjectOrNone("parameters"));
            Transitions = document.Objects("transitions").Select(Transition).ToList();
            Stingers = document.ObjectOrNone("stingers").Keys.ToList();
            Events = Transitions.SelectMany(transition => transition.On).Concat(document.ObjectOrNone("events").Keys).Distinct().ToList();
            _states = new HashSet<string>(States, StringComparer.Ordinal);
            _events = new HashSet<string>(Events, StringComparer.Ordinal);
            _stingers = new HashSet<string>(Stingers, StringComparer.Ordinal);
            _parameters = Parameters.ToDictionary(parameter => parameter.Name, StringComparer.Ordinal);
            if (!HasState(Initial)) throw document.Bad("initial", "one of the states (" + string.Join(", ", States.Take(8)) + ")");
        }

        /// <summary>The soundtrack's name, which servers know it by.</summary>
        public string Id { get; }

        /// <summary>Its author's own count of its versions.</summary>
        public int Version { get; }

        /// <summary>"sha256:…" of the document.</summary>
        public string Hash { get; }

        /// <summary>For whoever reads it; may be empty.</summary>
        public string Description { get; }

        /// <summary>State at the start.</summary>
        public string Initial { get; }

        /// <summary>Names of the states.</summary>
        public IReadOnlyList<string> States { get; }

        /// <summary>The parameters.</summary>
        public IReadOnlyList<ParameterOutline> Parameters { get; }

        /// <summary>The transitions, in the order of the file.</summary>
        public IReadOnlyList<TransitionOutline> Transitions { get; }

        /// <summary>Names of the stingers.</summary>
        public IReadOnlyList<string> Stingers { get; }

        /// <summary>Names of the events that do something: those that cause transitions, then those with a line of their own.</summary>
        public IReadOnlyList<string> Events { get; }

        /// <summary>Reads what `segue build` wrote. Throws <see cref="MalformedException"/> that names the key and what was expected.</summary>
        public static SoundtrackOutline Parse(string json)
        {
            if (json == null) throw new ArgumentNullException(nameof(json));
            // A byte order mark is no JSON, but editors write it.
            return new SoundtrackOutline(OutlineNode.Root(Json.Parse(json.TrimStart('\uFEFF'))));
        }

        /// <summary>Whether there is a state of the name.</summary>
        public bool HasState(string name) => _states.Contains(name);

        /// <summary>Whether an event of the name does anything; one that is named like a stinger plays it.</summary>
        public bool HasEvent(string name) => _events.Contains(name) || _stingers.Contains(name);

        /// <summary>Whether there is a stinger of the name.</summary>
        public bool HasStinger(string name) => _stingers.Contains(name);

        /// <summary>The parameter of a name; null if there is none.</summary>
        public ParameterOutline Parameter(string name) => name != null && _parameters.TryGetValue(name, out var found) ? found : null;

        private static List<ParameterOutline> Read(OutlineNode parameters)
        {
            var found = new List<ParameterOutline>();
            foreach (string name in parameters.Keys)
            {
                var parameter = parameters.Object(name);
                parameter.Range("range", out double minimum, out double maximum);
                found.Add(new ParameterOutline(name, minimum, maximum, parameter.Number("default")));
            }
            return found;
        }

        private static TransitionOutline Transition(OutlineNode transition) => new TransitionOutline(
            transition.Texts("from"),
            transition.Text("to"),
            transition.TextsOrNone("on"),
            transition.TextOrNone("when"),
            transition.TextOrNone("after"),
            transition.TextOrNone("exit_source_at"),
            transition.TextOrNone("via"));
    }
}
