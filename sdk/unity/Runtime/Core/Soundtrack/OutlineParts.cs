// SPDX-License-Identifier: Apache-2.0
using System.Collections.Generic;

namespace Segue
{
    /// <summary>A parameter of a soundtrack.</summary>
    public sealed class ParameterOutline
    {
        internal ParameterOutline(string name, double minimum, double maximum, double initial)
        {
            Name = name;
            Minimum = minimum;
            Maximum = maximum;
            Default = initial;
        }

        /// <summary>Its name, as <see cref="SoundtrackSession.SetParametersAsync"/> takes it.</summary>
        public string Name { get; }

        /// <summary>The lowest value.</summary>
        public double Minimum { get; }

        /// <summary>The highest value.</summary>
        public double Maximum { get; }

        /// <summary>The value at the start.</summary>
        public double Default { get; }
    }

    /// <summary>A transition of a soundtrack. Conditions and lengths are as their author wrote them.</summary>
    public sealed class TransitionOutline
    {
        internal TransitionOutline(
            IReadOnlyList<string> from, string to, IReadOnlyList<string> on, string when, string after, string exitSourceAt, string via)
        {
            From = from;
            To = to;
            On = on;
            When = when;
            After = after;
            ExitSourceAt = exitSourceAt;
            Via = via;
        }

        /// <summary>States that it leaves; "any" alone: every other one.</summary>
        public IReadOnlyList<string> From { get; }

        /// <summary>State that it goes to.</summary>
        public string To { get; }

        /// <summary>Events that cause it; none: it is caused by `When` or `After`.</summary>
        public IReadOnlyList<string> On { get; }

        /// <summary>Condition, such as "danger &lt; 0.2"; empty if there is none.</summary>
        public string When { get; }

        /// <summary>Delay, such as "6 s"; empty if there is none.</summary>
        public string After { get; }

        /// <summary>Musical place at which it leaves, such as "next_bar"; empty if it is not said.</summary>
        public string ExitSourceAt { get; }

        /// <summary>Bridge style; empty if there is none.</summary>
        public string Via { get; }

        /// <summary>What it waits for, in words: its events, condition and delay.</summary>
        public string Cause
        {
            get
            {
                var words = new List<string>();
                if (On.Count > 0) words.Add(string.Join(" or ", On));
                if (When.Length > 0) words.Add("when " + When);
                if (After.Length > 0) words.Add("after " + After);
                return string.Join(", ", words);
            }
        }
    }
}
