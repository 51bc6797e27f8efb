// SPDX-License-Identifier: Apache-2.0
using System;
using System.Linq;
using System.Threading;

namespace Segue.Tests
{
    /// <summary>A test that can't be run here.</summary>
    public sealed class SkippedException : Exception
    {
        public SkippedException(string message) : base(message) { }
    }

    /// <summary>What tests say.</summary>
    public static class Check
    {
        public static void That(bool holds, string what)
        {
            if (!holds) throw new InvalidOperationException(what);
        }

        public static void Equal<T>(T expected, T got, string what = "")
        {
            if (!Equals(expected, got)) throw new InvalidOperationException(what + ": expected " + expected + ", got " + got);
        }

        /// <summary>Next to none: what a machine that is busy may cause by itself. The benches hold it to none.</summary>
        public static void Few(int got, string what)
        {
            if (got < 0 || got > 2) throw new InvalidOperationException(what + ": expected next to none, got " + got);
        }

        public static void Near(double expected, double got, double tolerance, string what = "")
        {
            if (!(Math.Abs(expected - got) <= tolerance))
                throw new InvalidOperationException(what + ": expected " + expected + " ± " + tolerance + ", got " + got);
        }

        public static void Same(byte[] expected, byte[] got, string what = "")
        {
            if (!expected.SequenceEqual(got)) throw new InvalidOperationException(what + ": expected " + Hex(expected) + ", got " + Hex(got));
        }

        public static T Throws<T>(Action action, string what = "")
            where T : Exception
        {
            try
            {
                action();
            }
            catch (T expected)
            {
                return expected;
            }
            throw new InvalidOperationException(what + ": expected " + typeof(T).Name);
        }

        /// <summary>Wait until something holds; fails after ten seconds.</summary>
        public static void Soon(Func<bool> holds, string what, int seconds = 10)
        {
            var until = DateTime.UtcNow.AddSeconds(seconds);
            while (!holds())
            {
                if (DateTime.UtcNow > until) throw new InvalidOperationException("not within " + seconds + " s: " + what);
                Thread.Sleep(2);
            }
        }

        public static void Skip(string why)
        {
#if UNITY_5_3_OR_NEWER
            NUnit.Framework.Assert.Ignore(why);
#else
            throw new SkippedException(why);
#endif
        }

        public static byte[] Bytes(string hex) =>
            Enumerable.Range(0, hex.Length / 2).Select(i => Convert.ToByte(hex.Substring(2 * i, 2), 16)).ToArray();

        public static string Hex(byte[] bytes) => BitConverter.ToString(bytes).Replace("-", "").ToLowerInvariant();
    }
}
