// SPDX-License-Identifier: Apache-2.0
#if UNITY_EDITOR || !UNITY_5_3_OR_NEWER
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Text;

namespace Segue
{
    /// <summary>Names of a soundtrack as identifiers of C#. Part of the editor, not of builds.</summary>
    public static class Identifiers
    {
        // What every class has already: a constant of the name would hide it, which is a warning.
        private static readonly string[] Inherited =
            { "Equals", "Finalize", "GetHashCode", "GetType", "MemberwiseClone", "ReferenceEquals", "ToString" };

        /// <summary>
        /// A name in PascalCase: ASCII letters and digits, with `_` in front of a first digit. It begins with a capital or `_`,
        /// so it is no keyword. Other characters than ASCII's are spelled by their numbers.
        /// </summary>
        public static string Pascal(string name)
        {
            var made = new StringBuilder();
            bool begins = true;
            foreach (char c in name)
            {
                if (c >= 128)
                {
                    made.Append('U').Append(((int)c).ToString("X4", CultureInfo.InvariantCulture));
                    begins = true;
                }
                else if (!IsAsciiLetterOrDigit(c)) begins = true;
                else
                {
                    made.Append(begins ? char.ToUpperInvariant(c) : c);
                    begins = false;
                }
            }
            if (made.Length == 0) return "_";
            return made[0] >= '0' && made[0] <= '9' ? "_" + made : made.ToString();
        }

        /// <summary>An identifier for every name, all different: the later of two that look the same ends in _2, _3, …</summary>
        /// <param name="within">The class that they are members of, which none of them may be called.</param>
        public static IReadOnlyList<string> Unique(IReadOnlyList<string> names, string within)
        {
            var taken = new HashSet<string>(Inherited, StringComparer.Ordinal) { within };
            var made = new List<string>();
            foreach (string name in names)
            {
                string plain = Pascal(name), unique = plain;
                for (int n = 2; !taken.Add(unique); n++) unique = plain + "_" + n.ToString(CultureInfo.InvariantCulture);
                made.Add(unique);
            }
            return made;
        }

        private static bool IsAsciiLetterOrDigit(char c) => c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9';
    }
}
#endif
