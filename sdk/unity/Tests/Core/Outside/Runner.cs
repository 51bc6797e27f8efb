// SPDX-License-Identifier: Apache-2.0
#if !UNITY_5_3_OR_NEWER
using System;
using System.Diagnostics;
using System.Linq;
using System.Reflection;
using System.Threading;
using NUnit.Framework;

namespace Segue.Tests
{
    /// <summary>
    /// Runs every test whose name holds one of the arguments, and none whose name holds one of those after a "-"; exit code
    /// 1 if any fails, 3 if none has such a name.
    /// </summary>
    public static class Runner
    {
        private const int NoSuchTest = 3;
        private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

        public static int Main(string[] wanted)
        {
            if (wanted.Length > 0 && wanted[0] == "listen") return Listen.Run(wanted);
            var left = wanted.Where(word => word.StartsWith("-", StringComparison.Ordinal)).Select(word => word.Substring(1)).ToArray();
            wanted = wanted.Where(word => !word.StartsWith("-", StringComparison.Ordinal)).ToArray();
            int passed = 0, failed = 0, skipped = 0;
            var tests = typeof(Runner).Assembly.GetTypes()
                .Where(type => type.GetCustomAttribute<TestFixtureAttribute>() != null)
                .SelectMany(type => type.GetMethods().Where(method => method.GetCustomAttribute<TestAttribute>() != null))
                .OrderBy(method => method.DeclaringType.Name, StringComparer.Ordinal);
            foreach (var test in tests)
            {
                string name = test.DeclaringType.Name + "." + test.Name;
                if (wanted.Length > 0 && !wanted.Any(part => name.Contains(part)) || left.Any(part => name.Contains(part))) continue;
                var watch = Stopwatch.StartNew();
                var thrown = Run(test);
                if (thrown == null) passed++;
                else if (thrown is SkippedException)
                {
                    skipped++;
                    Console.WriteLine("SKIPPED " + name + ": " + thrown.Message);
                }
                else
                {
                    failed++;
                    Console.WriteLine("FAILED " + name + ": " + thrown);
                }
                if (watch.ElapsedMilliseconds > 2000) Console.WriteLine("slow: " + name + " took " + watch.ElapsedMilliseconds + " ms");
            }
            Console.WriteLine(passed + " passed, " + failed + " failed, " + skipped + " skipped");
            if (passed + failed + skipped == 0) return NoSuchTest;
            return failed > 0 || passed == 0 ? 1 : 0;
        }

        /// <summary>What a test has thrown; one that does not come back in time is left behind.</summary>
        private static Exception Run(MethodInfo test)
        {
            Exception found = null;
            var thread = new Thread(() =>
            {
                try
                {
                    test.Invoke(Activator.CreateInstance(test.DeclaringType), null);
                }
                catch (TargetInvocationException thrown)
                {
                    found = thrown.InnerException;
                }
            }) { IsBackground = true };
            thread.Start();
            return thread.Join(Patience) ? found : new TimeoutException("no end within " + Patience.TotalSeconds + " s");
        }
    }
}
#endif
